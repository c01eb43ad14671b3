import { runProcess } from "./process";
import { serviceFile } from "./root";

/** What `npm start` runs: the services that SERVICES names, in this process. */
void runProcess((broker, config) => {
  for (const name of config.services) broker.loadService(serviceFile(name));
});
