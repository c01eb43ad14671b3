import type { Texts } from "./letters";

export const english: Texts = {
  verify: ({ username, link }) => ({
    subject: "Verify your e-mail address",
    parts: [
      `Hello ${username},`,
      `an account with the user name ${username} was made with this address. If you made it, please show that the address is yours:`,
      { label: "Verify this address", link },
      "The link works once, for 24 hours. If you did not make the account, or gave it another name, leave this mail alone: whoever made it has its password, and comes in only by your word.",
    ],
  }),
  taken: ({ username, origin }) => ({
    subject: "You have an account already",
    parts: [
      `Hello ${username},`,
      "somebody, perhaps you, has tried to make an account with this address, which is that of yours. None was made for it.",
      { label: "Sign in", link: origin },
      "If you have forgotten your password, ask for a new one there. If it was not you, leave this mail alone.",
    ],
  }),
  reset: ({ username, link }) => ({
    subject: "Set a new password",
    parts: [
      `Hello ${username},`,
      "somebody, hopefully you, has asked for a new password.",
      { label: "Set a new password", link },
      "The link works once, for 30 minutes. If it was not you, leave this mail alone: your password stays as it is.",
    ],
  }),
  usernames: ({ username, origin }) => ({
    subject: "Your user name",
    parts: [
      "Hello,",
      `the user name of the account with this address is: ${username}`,
      { label: "Sign in", link: origin },
      "If you did not ask for it, leave this mail alone.",
    ],
  }),
  "password-changed": ({ username, origin }) => ({
    subject: "Your password was changed",
    parts: [
      `Hello ${username},`,
      "the password of your account was changed just now, and you were signed out elsewhere.",
      "If it was not you, ask for a new password at once:",
      { label: "Go there", link: origin },
      "If somebody else was in your account, look through its settings too: a new password does not end what was made there, such as tokens of programs, other ways to sign in and a second factor.",
    ],
  }),
  "email-new": ({ username, link }) => ({
    subject: "Confirm your new e-mail address",
    parts: [
      `Hello ${username},`,
      "this address shall become that of your account. Please confirm it:",
      { label: "Confirm this address", link },
      "The link works once, for 24 hours. If you know nothing of it, leave this mail alone.",
    ],
  }),
  "email-old": ({ username, email, cancel, link }) => ({
    subject: "Your e-mail address is about to change",
    parts: [
      `Hello ${username},`,
      `the address of your account shall become ${email}.`,
      ...(link === undefined ? [] : ["It changes once both addresses have confirmed it:", { label: "Confirm", link }]),
      "If it was not you, stop it and change your password:",
      { label: "Stop the change", link: cancel },
      "Both links work for 24 hours.",
    ],
  }),
  invitation: ({ inviter, link }) => ({
    subject: `${inviter} invites you`,
    parts: ["Hello,", `${inviter} invites you to chat.`, { label: "Make an account", link }],
  }),
};
