import { BUGS } from "./bugs";

/** Plants the bug that `PLANTED_BUG` names, or none. */
const name = process.env.PLANTED_BUG ?? "";
const bug = BUGS.find(one => one.name === name);
if (name !== "" && !bug) {
  console.error(`There is no planted bug ${name}; there are ${BUGS.map(one => one.name).join(", ")}`);
  process.exit(1);
}
bug?.plant();
