//! The `shell-client` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    shell_client::app::main(std::env::args_os())
}
