import { once } from "node:events";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

// An identity provider of its own process: its library is an ES module throughout. Told whom it knows and who sits in front of
// it by POST /people and /now; whoever comes is signed in as that one at once.
const { clientId, clientSecret, redirectUris } = JSON.parse(process.argv[2]);
const people = new Map();
let now = "";

const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: redirectUris,
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  cookies: { keys: ["of a test"] },
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "realm"], email: ["email", "email_verified"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  findAccount: (_, sub) => people.has(sub) && { accountId: sub, claims: () => ({ sub, ...people.get(sub) }) },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.account.accountId,
    });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
});
const callback = provider.callback();

server.on("request", async (req, res) => {
  if (req.method === "POST" && (req.url === "/people" || req.url === "/now")) {
    let text = "";
    for await (const part of req) text += part;
    const { sub, ...claims } = JSON.parse(text);
    if (req.url === "/people") people.set(sub, claims);
    now = sub;
    return res.end();
  }
  if (req.url.startsWith("/interaction/"))
    return now === "nobody"
      ? provider.interactionFinished(req, res, { error: "access_denied" })
      : provider.interactionFinished(req, res, { login: { accountId: now } });
  return callback(req, res);
});
console.log(`ready ${issuer}`);
