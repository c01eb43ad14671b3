# One image for every service: SERVICES says what a container runs. Without TRANSPORTER and MONGO_URL it runs all of them
# as one process, with its data under /data: mount a volume there.
#
#   docker build -t rookery:local .                  the official uWebSockets.js, taken from its home
#   docker build --build-arg UWS= -t rookery:local . the packaged build of it from npm: no other host than the registry

# glibc: the engine's native module has no musl build.
ARG NODE_IMAGE=node:22.23.3-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json moleculer.config.ts ./
COPY config config
COPY mixins mixins
COPY services services
RUN npm run build && rm -f dist/.tsbuildinfo

FROM ${NODE_IMAGE} AS modules
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund --omit=dev
# A release tag. The last one whose binaries run on the glibc of bookworm; newer ones ask for trixie.
ARG UWS=v20.52.0
COPY deploy/docker/engine.mjs ./
RUN node engine.mjs "${UWS}"

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    DATA_DIR=/data
WORKDIR /app
RUN install -d -o node -g node -m 0700 /data
COPY --from=modules /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY clients/web clients/web
USER node
EXPOSE 3000 3001 3030
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.METRICS_PORT||3030)+'/health/ready').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
ENTRYPOINT ["node", "--disable-proto=delete"]
CMD ["dist/config/start.js"]
