//! What the compiler must refuse, each line with the error it is refused with. `cargo xtask clients` holds it to that.

use accord_client::Client;
use accord_client::types::{Code, Post, Problem};

fn main() {}

fn a_code_that_does_not_exist(problem: Problem) -> bool {
    problem.code == Code::PreconditionFaild // refused: E0599
}

fn a_property_that_does_not_exist(post: Post) -> String {
    post.titel // refused: E0609
}

fn an_owner_who_may_be_gone(post: Post) -> i64 {
    post.owner.id // refused: E0609
}

fn a_parameter_that_does_not_exist(client: Client) {
    let _list = client.list_posts().limits(2); // refused: E0599
}
