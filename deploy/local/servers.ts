/** Servers of this machine, as deploy/servers/install.sh has made them: started here, gone with this process. */
export { installed } from "./servers/cache";
export { startMongo, type MongoServer } from "./servers/mongo";
export { startNats, type NatsServer } from "./servers/nats";
export { startS3, type S3Server } from "./servers/s3";
