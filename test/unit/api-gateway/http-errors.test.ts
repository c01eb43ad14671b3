import { Errors } from "moleculer";
import ApiGatewayMixin from "moleculer-web";
import { httpError, problemOf } from "../../../services/api-gateway/http-errors";
import { RookeryError } from "../../../services/core/errors";

const router = ApiGatewayMixin.Errors as unknown as Record<string, new (...args: unknown[]) => Error>;
const codeOf = (error: unknown): [string, number] => [httpError(error).code, httpError(error).status];

describe("errors over HTTP", () => {
  it("keeps the code, detail and fields of our own errors and nothing else of them", () => {
    const errors = [{ field: "text", message: "Too long." }];
    const error = new RookeryError("INVALID", "No.", { errors, retryAfterMs: 5 });
    expect(problemOf(httpError(error))).toEqual({
      type: "about:blank",
      title: "Not valid",
      status: 422,
      code: "INVALID",
      detail: "No.",
      errors,
    });
  });

  it("maps the router's refusals", () => {
    const make = (name: string): Error => new (router[name] as new () => Error)();
    expect(codeOf(make("NotFoundError"))).toEqual(["NOT_FOUND", 404]);
    expect(codeOf(make("BadRequestError"))).toEqual(["BAD_REQUEST", 400]);
    expect(codeOf(make("ServiceUnavailableError"))).toEqual(["UNAVAILABLE", 503]);
  });

  it("maps what the broker refuses: not sent is unavailable, sent without answer is unknown", () => {
    const to = { action: "messages.send", nodeID: "node-7" };
    expect(codeOf(new Errors.ServiceNotFoundError(to))).toEqual(["UNAVAILABLE", 503]);
    expect(codeOf(new Errors.RequestTimeoutError(to))).toEqual(["UNKNOWN_OUTCOME", 504]);
    expect(codeOf(new Errors.RequestRejectedError(to))).toEqual(["UNKNOWN_OUTCOME", 504]);
  });

  it("says when to come back after UNAVAILABLE", () => {
    expect(httpError(new RookeryError("UNAVAILABLE")).retryAfterMs).toBe(1_000);
    expect(httpError(new RookeryError("UNAVAILABLE", "Busy.", { retryAfterMs: 9 })).retryAfterMs).toBe(9);
  });

  it.each([
    ["a TypeError", new TypeError("boom secret")],
    ["a string", "boom secret"],
    ["null", null],
    ["an error that calls itself by one of our codes", Object.assign(new Error("boom secret"), { type: "FORBIDDEN" })],
    ["an error named like a property of objects", Object.assign(new Error("boom secret"), { name: "constructor" })],
  ])("tells nothing of %s", (_, error) => {
    const problem = problemOf(httpError(error));
    expect(problem).toEqual({ type: "about:blank", title: expect.any(String), status: 500, code: "INTERNAL" });
    expect(JSON.stringify(problem)).not.toContain("secret");
  });

  it("never repeats the offending value of a validation error", () => {
    const data = [{ type: "stringMin", field: "password", message: "Too short.", actual: "hunter2" }];
    const problem = problemOf(httpError(new Errors.ValidationError("Parameters", "VALIDATION_ERROR", data)));
    expect(problem).toMatchObject({ status: 422, errors: [{ field: "password", message: "Too short." }] });
    expect(JSON.stringify(problem)).not.toContain("hunter2");
  });
});
