import { compareSync, hashSync } from "bcryptjs";

export type PasswordTask = { password: string; cost: number } | { password: string; hash: string };

/** Runs in a worker thread, where it may block: the hash, or whether the password fits it. */
export default function work(task: PasswordTask): string | boolean {
  return "hash" in task ? compareSync(task.password, task.hash) : hashSync(task.password, task.cost);
}
