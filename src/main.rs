//! Maps the result of the command line to an exit code; everything else is the library's.

fn main() -> std::process::ExitCode {
    mailhaul::cli::main(std::env::args_os()).into()
}
