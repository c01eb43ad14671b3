/** HTML that is safe to stand in a page: whatever came into it as text was escaped. */
export class Html {
  constructor(readonly text: string) {}
}

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string): string => text.replace(/[&<>"']/g, sign => ESCAPES[sign] as string);

/** A template of HTML: what is put into it is text, unless it is HTML itself. */
export function html(parts: TemplateStringsArray, ...values: (string | number | Html)[]): Html {
  const put = values.map(value => (value instanceof Html ? value.text : escaped(String(value))));
  return new Html(parts.map((part, at) => part + (put[at] ?? "")).join(""));
}

export const NOTHING = html``;

export const each = <T>(items: readonly T[], show: (item: T) => Html, between = ""): Html =>
  new Html(items.map(item => show(item).text).join(escaped(between)));

/** A text for people, where backquotes stand around code. */
export const prose = (text: string): Html =>
  each(
    text.split("`").map((part, at) => ({ part, code: at % 2 === 1 })),
    ({ part, code }) => (code ? html`<code>${part}</code>` : html`${part}`),
  );

/** A table; the first cell of a row names it. */
export const table = (heads: readonly string[], rows: readonly (readonly (string | number | Html)[])[]): Html =>
  html`<div class="wide">
    <table>
      <thead>
        <tr>
          ${each(heads, head => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${each(
          rows,
          ([name = "", ...cells]) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${each(cells, cell => html`<td>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
