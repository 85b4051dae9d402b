//! Passwords for commands: typed without echo, or the first line of standard input; never an argument, which every
//! user of the machine could read.

use std::io::{BufRead, IsTerminal};

use super::Failure;

/// Bytes of standard input that are looked at.
const MOST: u64 = 4096;

/// Asks twice at a terminal; otherwise, or when told to, reads the first line of standard input.
///
/// # Errors
/// There is none, or the two differ.
pub fn read(from_stdin: bool) -> Result<String, Failure> {
    if from_stdin || !std::io::stdin().is_terminal() {
        return first_line(std::io::stdin().lock());
    }
    let ask = |prompt| rpassword::prompt_password(prompt).map_err(unreadable);
    let password = ask("Password: ")?;
    if ask("Again: ")? != password {
        return Err(Failure::Other("the two passwords differ: run the command again".into()));
    }
    Ok(password)
}

fn first_line(input: impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    input.take(MOST).read_line(&mut line).map_err(unreadable)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(Failure::Usage("there is no password on standard input: write one line with it".into()));
    }
    Ok(line.into())
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::Other(format!("cannot read the password: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_as_it_is() {
        for (input, password) in [(" a b \nnext", " a b "), ("abc\r\n", "abc"), ("abc", "abc")] {
            assert_eq!(first_line(input.as_bytes()).expect("a password"), password);
        }
        assert!(matches!(first_line("".as_bytes()), Err(Failure::Usage(_))));
        assert!(matches!(first_line("\n".as_bytes()), Err(Failure::Usage(_))));
    }
}
