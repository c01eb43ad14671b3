type Task = () => Promise<unknown> | unknown;

const tasks: Task[] = [];

/** Runs `task` after the tests of the file, the last one first: what stands on something goes before it. */
export function afterFile(task: Task): void {
  tasks.push(task);
}

afterAll(async () => {
  for (let task = tasks.pop(); task; task = tasks.pop()) await task();
});
