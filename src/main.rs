//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    acr_doctor::cli::main()
}
