/** Servers of this machine, as deploy/servers/install.sh has made them: started here, gone with this process. */
export { installed } from "./servers/cache";
export { MongoServer, pingMongo, startMongo } from "./servers/mongo";
export { NatsServer, startNats } from "./servers/nats";
export { Nginx } from "./servers/nginx";
export { startS3, type S3Server } from "./servers/s3";
