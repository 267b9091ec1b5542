import { z } from "zod";

/**
 * The form of a stack's configuration: which settings there are and of which type. Values are checked elsewhere, the
 * same way for configuration and for code. Everything is strict, so that a misspelt setting is never ignored.
 */
export function group<T extends z.core.$ZodLooseShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  return z.strictObject(shape);
}

export const text = z.string();
/** A text that is kept secret wherever it goes: this form in a table is all that has to be said. */
export const secret = z.string();
export const amount = z.number();
export const flag = z.boolean();
/** One word of several. */
export const choice = z.enum;
export const list = z.array;
/** Texts by names of the user's own. */
export const texts = z.record(text, text);
/** A value that may be written in another form, which is turned into the usual one first. */
export const rewritten = z.preprocess;

/** The schema of a value that may be left out, or is made from another form. */
export function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) {
    return bare(schema.unwrap() as z.ZodType);
  }
  return schema instanceof z.ZodPipe ? bare(schema.out as z.ZodType) : schema;
}
