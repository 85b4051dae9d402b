"""What mypy must refuse, each line with the error it is refused with. `cargo xtask clients` holds it to that."""

from accord_client import AuthenticatedClient
from accord_client.api.posts import list_posts
from accord_client.models import Code, Post, Problem


def a_code_that_does_not_exist(problem: Problem) -> None:
    assert problem.code == Code.PRECONDITION_FAILD  # refused: attr-defined


def a_property_that_does_not_exist(post: Post) -> object:
    return post.titel  # refused: attr-defined


def an_owner_who_may_be_gone(post: Post) -> int:
    return post.owner.id  # refused: union-attr


def a_parameter_that_does_not_exist(client: AuthenticatedClient) -> None:
    list_posts.sync(client=client, limits=2)  # refused: call-arg
