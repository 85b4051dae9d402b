// What the compiler must refuse, each line with the error it is refused with. `cargo xtask clients` holds it to that.
import { createClient, type Post, type Problem } from "accord-client";

export const aCodeThatDoesNotExist = (problem: Problem) => problem.code === "precondition_faild"; // refused: TS2367

export const aPropertyThatDoesNotExist = (post: Post) => post.titel; // refused: TS2551

export const anOwnerWhoMayBeGone = (post: Post) => post.owner.id; // refused: TS18047

export const aParameterThatDoesNotExist = () =>
  createClient("").GET("/api/v1/posts", { params: { query: { limits: 2 } } }); // refused: TS2561
