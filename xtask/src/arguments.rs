//! Positional arguments that several tasks have.

use std::convert::Infallible;
use std::str::FromStr;

use clap::ValueEnum;

/// A value of an enum, or else part of the name of a test.
#[derive(Clone)]
pub enum Word<V> {
    Value(V),
    Filter(String),
}

impl<V: ValueEnum> FromStr for Word<V> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(V::from_str(text, false).map_or_else(|_| Self::Filter(text.into()), Self::Value))
    }
}

impl<V: Copy> Word<V> {
    /// Separates the values from the filters.
    pub fn separate(words: &[Self]) -> (Vec<V>, Vec<&str>) {
        let (mut values, mut filters) = (vec![], vec![]);
        for word in words {
            match word {
                Self::Value(value) => values.push(*value),
                Self::Filter(filter) => filters.push(filter.as_str()),
            }
        }
        (values, filters)
    }
}

/// Parses the arguments of a task.
#[cfg(test)]
pub fn parse<A: clap::Args>(words: &[&str]) -> Result<A, clap::Error> {
    let command = A::augment_args(clap::Command::new("task").no_binary_name(true));
    A::from_arg_matches(&command.try_get_matches_from(words)?)
}
