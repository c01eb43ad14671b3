/** The product with one defect in it: what `npm start` starts, with the defect wrapped around it first. Runs under tsx. */
import "./plant";
import "../../../config/start";
