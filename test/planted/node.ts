/** The product with one defect in it, or none: what `npm start` starts, with a bug wrapped around it first. Runs under tsx. */
import "./plant";
import "../../config/start";
