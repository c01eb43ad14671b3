// Run once by the image, when the database is new: the services' own user, who may read and write one database only.
db.getSiblingDB("rookery").createUser({
  user: "rookery",
  pwd: process.env.MONGO_PASSWORD,
  roles: [{ role: "readWrite", db: "rookery" }],
});
