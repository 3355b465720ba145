"""Operations that take several requests to targets, as coroutines."""
