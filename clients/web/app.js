import { Session } from "./session.js";
import { Chat } from "./chat.js";
import { followInvite } from "./invite.js";
import { arrival } from "./oidc.js";
import { $ } from "./dom.js";
import { connectionBanner, say } from "./views/banner.js";
import { signInView } from "./views/sign-in.js";
import { workspace } from "./views/workspace.js";

/** Milliseconds between attempts to reach the server before anybody is signed in. */
const RETRY = 3_000;

let stop = () => undefined;
const session = new Session(
  why => {
    stop();
    signIn.show(why);
  },
  // Whoever has got a role that needs one while he was here, too.
  () => {
    if (session.mustSetUp) location.replace("settings.html#second-factor");
  },
);
const signIn = signInView(session, enter);

function enter() {
  if (session.mustSetUp) return;
  signIn.hide();
  const chat = new Chat(session);
  const leave = [workspace(chat), connectionBanner(chat)];
  stop = () => {
    chat.stop();
    for (const end of leave) end();
    $("#chat").hidden = true;
    say(null);
    stop = () => undefined;
  };
  $("#chat").hidden = false;
  chat.start();
  void followInvite(chat);
}

/** Goes on with what a provider sent somebody back with, or the session of last time, if there is one. */
async function resume() {
  const back = arrival();
  if (back?.code) return signIn.arrive(back.code);
  if (back?.problem && !session.stored()) return signIn.show(back.problem);
  if (!session.stored()) return signIn.show(null);
  try {
    await session.refresh();
  } catch (error) {
    if (error.status === 401) return;
    say("The server cannot be reached. Trying again …");
    return setTimeout(resume, RETRY);
  }
  say(null);
  enter();
}

void resume();
