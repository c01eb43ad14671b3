import { DEFECTS } from "./defects";

/** Plants the defect that `PLANTED_DEFECT` names. */
const name = process.env.PLANTED_DEFECT ?? "";
const defect = DEFECTS.find(one => one.name === name);
if (!defect) {
  console.error(`There is no defect ${name}; there are ${DEFECTS.map(one => one.name).join(", ")}`);
  process.exit(1);
}
defect.plant();
