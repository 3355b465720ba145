"""The admin plane: what an operator, a monitor and a browser may ask control over HTTP.

    listener    the socket, bound once for the life of the supervisor
    server      uvicorn's protocol in control's loop: connections, bounded in number and in time
    access      who may ask what: Host, origin, token
    app         the paths; each answer is made by a module of its own
    plane       what the answers are made of
    openapi     the same paths as a document

Rules: it is in control, never in a worker; what it answers holds no secret; a fault of it is an
error of 500 and a line of the log, and never ends control.
"""
