//! The `shell-server` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    shell_server::app::main(std::env::args_os())
}
