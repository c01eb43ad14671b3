import { MongoBulkWriteError, MongoError, MongoServerError } from "mongodb";
import { DuplicateKeyError, StorageError, type StorageReason } from "../storage-errors";

/** What was asked of the server: a read that failed has changed nothing, whatever happened to it. */
export type Kind = "read" | "write";

/**
 * An error of the driver, read: DuplicateKeyError with the index's name (`id` for the document's own id; of an ordered
 * group, what came before the refused one is stored), or StorageError. A write is `failed` only where it surely never took
 * effect; whatever is not known to be a refusal is `unknown`. Errors that are not the driver's are defects and come back as
 * they are.
 */
export function storageError(error: unknown, kind: Kind = "write"): unknown {
  if (isBsonError(error)) return new StorageError("failed", "statement", error);
  // Of the socket: the driver does not wrap what breaks a connection while a command waits for room in its buffers.
  if (isSystemError(error)) return new StorageError(kind === "read" ? "failed" : "unknown", "network", error);
  if (!(error instanceof MongoError)) return error;
  if (error.code === DUPLICATE_KEY) return new DuplicateKeyError(indexIn(error));
  const { outcome, reason } = error instanceof MongoBulkWriteError ? diagnoseBulk(error) : diagnose(error);
  return new StorageError(kind === "read" ? "failed" : outcome, reason, error);
}

type Diagnosis = Pick<StorageError, "outcome" | "reason">;

const failed = (reason: StorageReason): Diagnosis => ({ outcome: "failed", reason });
const unknown = (reason: StorageReason): Diagnosis => ({ outcome: "unknown", reason });

const DUPLICATE_KEY = 11000;

/** Thrown before a command was handed to a connection. */
const BEFORE_SENDING: Readonly<Record<string, Diagnosis>> = {
  MongoServerSelectionError: failed("away"),
  MongoPoolClearedError: failed("away"),
  MongoServerClosedError: failed("away"),
  MongoTopologyClosedError: failed("away"),
  MongoWaitQueueTimeoutError: failed("overload"),
  MongoPoolClosedError: failed("closed"),
  MongoNotConnectedError: failed("closed"),
  MongoInvalidArgumentError: failed("statement"),
  MongoCompatibilityError: failed("statement"),
};

/** NotWritablePrimary, NotPrimaryNoSecondaryOk */
const NOT_PRIMARY = [10107, 13435];

/**
 * Codes by which a server refuses a command before it does anything. Every other code, also one of a shutdown, an
 * interruption or an inner failure, may come after the write took effect.
 */
const REFUSALS: Readonly<Record<number, Diagnosis>> = {
  ...codes(
    failed("statement"),
    // BadValue, FailedToParse, Unauthorized, TypeMismatch, AuthenticationFailed, IllegalOperation, NamespaceNotFound,
    // IndexNotFound, PathNotViable, ConflictingUpdateOperators
    ...[2, 9, 13, 14, 18, 20, 26, 27, 28, 40],
    // DollarPrefixedFieldName, InvalidIdField, EmptyFieldName, DottedFieldName, CommandNotFound, ImmutableField,
    // CannotCreateIndex, InvalidOptions, IndexOptionsConflict, IndexKeySpecsConflict
    ...[52, 53, 56, 57, 59, 66, 67, 72, 85, 86],
    // DocumentValidationFailure, BSONObjectTooLarge
    ...[121, 10334],
  ),
  ...codes(failed("away"), ...NOT_PRIMARY),
};

function codes(diagnosis: Diagnosis, ...numbers: number[]): Record<number, Diagnosis> {
  return Object.fromEntries(numbers.map(code => [code, diagnosis]));
}

function diagnose(error: MongoError): Diagnosis {
  const before = BEFORE_SENDING[error.name];
  if (before) return before;
  // Of a connection that was never ready, or of a server that says it did nothing.
  if (["HandshakeError", "SystemOverloadedError", "NoWritesPerformed"].some(label => error.hasErrorLabel(label)))
    return failed("away");
  if (isUnconfirmed(error)) return unknown("unconfirmed");
  if (error instanceof MongoServerError) return REFUSALS[Number(error.code)] ?? unknown("io");
  return unknown(error.name === "MongoNetworkTimeoutError" ? "timeout" : "network");
}

/**
 * A group of writes: what stopped it is wrapped, and what came before it has taken effect. The server runs it in parts and
 * may step down between two; then it refuses the whole without a count of what went in.
 */
function diagnoseBulk(error: MongoBulkWriteError): Diagnosis {
  const cause: unknown = error.errorResponse;
  const diagnosis = diagnose(cause instanceof MongoError ? cause : error);
  const { insertedCount, modifiedCount, deletedCount, upsertedCount } = error;
  const done = insertedCount + modifiedCount + deletedCount + upsertedCount;
  const steppedDown = NOT_PRIMARY.includes(Number(error.code)) && !error.hasErrorLabel("NoWritesPerformed");
  return done > 0 || (steppedDown && !isCounted(error)) ? unknown(diagnosis.reason) : diagnosis;
}

/** Whether the counts say all that took effect: the refusal is that of one write, or there was but one document to insert. */
function isCounted({ writeErrors, result }: MongoBulkWriteError): boolean {
  return [writeErrors].flat().length > 0 || Object.keys(result.insertedIds).length === 1;
}

/** The write concern was not met: what was written may be taken back by an election. */
function isUnconfirmed(error: MongoError): boolean {
  if (error.name === "MongoWriteConcernError") return true;
  return error instanceof MongoBulkWriteError && error.result.getWriteConcernError() !== undefined;
}

/** MongoDB says `... index: name dup key: ...`, DocumentDB `... Index 'name'`. */
function indexIn({ message }: MongoError): string {
  const name = /index:? '?(?:[^\s']+\$)?(?<name>[^\s']+)/i.exec(message)?.groups?.["name"] ?? "";
  return name === "_id_" ? "id" : name;
}

/** What BSON cannot hold never leaves the process. */
const isBsonError = (error: unknown): boolean => error instanceof Error && /^BSON.*Error$/.test(error.name);

const isSystemError = (error: unknown): boolean => typeof (error as NodeJS.ErrnoException | null)?.syscall === "string";
