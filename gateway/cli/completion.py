"""`s3gateway completion` prints a script with which a shell completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print a script for the shell's completion.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes the words of s3gateway.

    \b
    bash (4.4 or later), in ~/.bashrc:  eval "$(s3gateway completion bash)"
    zsh, in ~/.zshrc after compinit:    eval "$(s3gateway completion zsh)"
    fish:  s3gateway completion fish > ~/.config/fish/completions/s3gateway.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has these three
    root = ctx.find_root()
    name = root.info_name or "s3gateway"
    variable = f"_{name}_COMPLETE".replace("-", "_").replace(".", "_").upper()
    click.echo(kind(root.command, {}, name, variable).source())
