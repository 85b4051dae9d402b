//! The story that each client tells: the same steps in every language, each printed when it has come true.

use std::process::Command;

use anyhow::{Context, bail};

/// What a story prints, line by line.
const STEPS: [&str; 12] = [
    "register",
    "log in",
    "create",
    "list to the second page",
    "update with the etag",
    "be refused with the old etag",
    "learn that nothing has changed",
    "remove the rating with null",
    "create once though the answer is lost",
    "be told which field is at fault",
    "read a code of a newer server",
    "delete",
];

/// The title of the post whose first answer is lost, in every story.
pub const LOST: &str = "Lost answer";

/// Runs a story to its end; answers its number of steps.
pub fn told(command: &mut Command) -> anyhow::Result<usize> {
    // a backtrace hides the one line that counts
    let output = command.env_remove("RUST_BACKTRACE").output().context("cannot start the story")?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let steps: Vec<_> = stdout.lines().collect();
    let right = STEPS.iter().zip(&steps).take_while(|(wanted, told)| wanted == told).count();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("the story fails at \"{}\":\n{}", STEPS.get(right).unwrap_or(&"its end"), complaint.trim());
    }
    if right < STEPS.len() || steps.len() > STEPS.len() {
        bail!("the story must tell {STEPS:?}, it told {steps:?}");
    }
    Ok(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run;

    fn shell(script: &str) -> anyhow::Result<usize> {
        told(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn a_story_is_told_when_all_its_steps_came_true() {
        let lines = STEPS.map(|step| format!("echo '{step}'")).join(";");
        assert_eq!(shell(&lines).expect("told"), STEPS.len());
        let failed = shell("echo register; echo no password >&2; exit 1").expect_err("failed").to_string();
        assert_eq!(failed, "the story fails at \"log in\":\nno password");
        let short = shell("echo register").expect_err("too short").to_string();
        assert!(short.contains("it told [\"register\"]"), "{short}");
    }

    /// Each line of an example in a README is a line of the story, in the story's order: it compiles and runs.
    #[test]
    fn the_lines_of_the_readmes_are_lines_of_the_stories() {
        for (language, fence, story) in
            [("rust", "rust", "story.rs"), ("typescript", "ts", "story.ts"), ("python", "python", "story.py")]
        {
            let read = |name: &str| std::fs::read_to_string(run::root().join(name)).expect(name);
            let story = read(&format!("clients/{language}/examples/{story}"));
            let readmes = [format!("clients/{language}/README.md"), "README.md".to_owned()];
            let blocks = readmes.each_ref().map(|name| blocks(&read(name), fence));
            assert_eq!(blocks[0].len(), 1, "{} shows its client once", readmes[0]);
            for block in blocks.concat() {
                let mut told = story.lines().map(str::trim);
                for line in block.lines() {
                    let in_turn = told.any(|told| told == line.trim());
                    assert!(in_turn, "`{line}` of a README is not in the story of {language}, or not in its turn");
                }
            }
        }
    }

    /// The code blocks of a language, with or without attributes behind its name.
    fn blocks(markdown: &str, language: &str) -> Vec<String> {
        let mut parts = markdown.split("```");
        let _before = parts.next();
        let code = parts.step_by(2).filter_map(|part| part.split_once('\n'));
        let of_language = |head: &str| head.split(',').next() == Some(language);
        code.filter(|(head, _)| of_language(head)).map(|(_, code)| code.to_owned()).collect()
    }
}
