/** The way to a provider and back. */

/** The link that somebody followed here, while he is at a provider: addresses that he comes back to have no part behind `#`. */
const KEY = "rookery.followed";

const WRONG = {
  CONFLICT: "There is an account with your e-mail already. Sign in to it, and link the other one in your account.",
  FORBIDDEN: "You cannot come in with that account.",
  UNAVAILABLE: "That provider cannot be reached right now. Try again in a moment.",
};

/** Those that one may sign in with; none where they cannot be asked for. */
export const providers = () =>
  fetch("/api/auth/oidc")
    .then(answer => (answer.ok ? answer.json() : { items: [] }))
    .then(
      ({ items }) => items,
      () => [],
    );

export const startOf = id => `/api/auth/oidc/${encodeURIComponent(id)}/start`;

/** To be called on leaving. */
export function remember() {
  if (location.hash.startsWith("#invite=")) sessionStorage.setItem(KEY, location.hash);
}

/** What somebody brings who comes back: `code`, `linked`, or `problem` in words. It leaves the address at once. */
export function arrival(words = {}) {
  const brought = new URLSearchParams(location.hash.slice(1));
  const code = brought.get("oidc");
  const error = brought.get("oidc_error");
  if (!code && !error) return null;
  const followed = sessionStorage.getItem(KEY) ?? "";
  sessionStorage.removeItem(KEY);
  history.replaceState(null, "", location.pathname + location.search + followed);
  if (error) return { problem: words[error] ?? WRONG[error] ?? "That sign-in was not finished. Try again." };
  return code === "linked" ? { linked: true } : { code };
}
