import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { Check } from "./patterns";
import { SecretFault } from "./secretText";

/** What a table says of a setting besides its form. */
export interface Facts<V> {
  /** What holds where it is left out. */
  default?: V;
  /** Its name in the settings file of a host, where the host is told it as it is. */
  key?: string;
  /** Its sentence in docs/settings.md. A group that has one is one row there, and names what is in it. */
  says?: string;
  /** What stands there in place of the default. */
  shown?: string;
  /** What is wrong with a text; with a list, what is wrong with one of its texts. */
  check?: Check;
}

interface AllFacts extends Facts<unknown> {
  /** The smallest and the largest whole number. */
  range?: { low: number; high: number };
  secret?: true;
  /** What is wrong with the text of a secret, by what stands beside it. */
  fault?: FaultOf;
}

export type FaultOf = (beside: object) => SecretFault | undefined;

const registry = z.registry<AllFacts>();

/** What the table says of a field. */
export function factsOf(field: z.ZodType): AllFacts {
  return registry.get(field) ?? {};
}

export declare const given: unique symbol;
export declare const hidden: unique symbol;
/** What the compiler knows of a field with a default. */
export interface Defaulted<D> {
  readonly [given]: D;
}
type Field<S extends z.ZodType, F> = z.ZodOptional<S> & (F extends { default: infer D } ? Defaulted<D> : unknown);
/** A text that is kept secret wherever it goes. */
export type Secret = z.ZodOptional<z.ZodString> & { readonly [hidden]: true };

function field<S extends z.ZodType, F>(form: S, facts: AllFacts): Field<S, F> {
  const optional = form.optional();
  registry.add(optional, facts);
  return optional as Field<S, F>;
}

type TextFacts = Facts<string>;
export const text = <const F extends TextFacts>(facts: F = {} as F): Field<z.ZodString, F> => field(z.string(), facts);
/** That it is secret, here in a table, is all that has to be said. */
export const secret = (facts: TextFacts & { fault?: FaultOf } = {}): Secret =>
  field<z.ZodString, unknown>(z.string(), { ...facts, secret: true }) as Secret;
/** A whole number. */
export const whole = <const F extends Facts<number>>(low: number, high: number, facts: F = {} as F) =>
  field<z.ZodNumber, F>(z.number(), { ...facts, range: { low, high } });
export const flag = <const F extends Facts<boolean>>(facts: F = {} as F) => field<z.ZodBoolean, F>(z.boolean(), facts);
/** One word of several. */
export const choice = <const C extends Record<string, string>, const F extends Facts<C[keyof C]>>(
  words: C,
  facts: F = {} as F,
) => field<z.ZodEnum<C>, F>(z.enum(words), facts);
/** Texts by names of the user's own. */
export const texts = <const F extends Facts<Record<string, string>>>(facts: F = {} as F) =>
  field<z.ZodRecord<z.ZodString, z.ZodString>, F>(z.record(z.string(), z.string()), facts);
/** A list of groups, or of texts, of which `check` looks at each. */
export const list = <S extends z.ZodType, const F extends Facts<never>>(item: S, facts: F = {} as F) =>
  field<z.ZodArray<S>, F>(z.array(item), facts);
/** A list of texts. */
export const words = <const F extends Facts<never>>(facts: F = {} as F) => list(z.string(), facts);
/** A group inside another one. */
export const part = <S extends z.ZodObject, const F extends Facts<never>>(group: S, facts: F = {} as F) =>
  field<S, F>(group, facts);

/** A field that may be written in another form, which is turned into the usual one first. */
export function rewritten<S extends z.ZodOptional>(change: (value: unknown) => unknown, usual: S): S {
  const written = z.preprocess(change, usual);
  registry.add(written, factsOf(usual));
  return written as unknown as S;
}

/** A field that must be there. */
export function required<S extends z.ZodType>(optional: z.ZodOptional<S>): S {
  const form = optional.unwrap();
  registry.add(form, factsOf(optional));
  return form;
}

export type Fields = Record<string, z.ZodType>;

/** Everything is strict, so that a misspelt setting is never ignored. */
export function group<T extends Fields>(shape: T): z.ZodObject<T, z.core.$strict> {
  return z.strictObject(shape);
}

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Fits<S, T> = {
  [K in keyof S]: K extends keyof T
    ? Same<S[K] extends z.ZodType ? z.output<S[K]> : never, pulumi.Unwrap<T[K]>> extends true
      ? S[K]
      : never
    : never;
};

/** The group of an interface: one that has not exactly its settings, each of its type, does not compile. */
export function table<T>() {
  return <S extends { [K in keyof T]-?: z.ZodType }>(shape: S & Fits<S, T>): z.ZodObject<S, z.core.$strict> =>
    z.strictObject<S>(shape);
}

/** The form of a value that may be left out, or is made from another form. */
export function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) {
    return bare(schema.unwrap() as z.ZodType);
  }
  return schema instanceof z.ZodPipe ? bare(schema.out as z.ZodType) : schema;
}

/** The settings in a group, or in each group of a list, by name; none of anything else. */
export function fieldsIn(schema: z.ZodType): [string, z.ZodType][] {
  const inner = bare(schema);
  if (inner instanceof z.ZodArray) {
    return fieldsIn(inner.element as z.ZodType);
  }
  return inner instanceof z.ZodObject ? Object.entries<z.ZodType>(inner.shape) : [];
}

export const isList = (schema: z.ZodType): boolean => bare(schema) instanceof z.ZodArray;

type GroupName<S> = { [K in keyof S]: S[K] extends z.ZodOptional<z.ZodObject> ? K : never }[keyof S];

/** The names of the groups in a group. */
export function groupsIn<S extends Fields>(form: z.ZodObject<S>): GroupName<S>[] {
  const groups = fieldsIn(form).filter(([, each]) => bare(each) instanceof z.ZodObject);
  return groups.map(([name]) => name as GroupName<S>);
}

type Shape = Record<string, unknown>;
/** The defaults of a group, without those of groups in it. */
type Defaults<S> = { [K in keyof S as S[K] extends Defaulted<unknown> ? K : never]: DefaultOf<S[K]> };
type DefaultOf<F> = F extends Defaulted<infer D> ? D : never;

export function defaultsOf<S extends Fields>(form: z.ZodObject<S>): Defaults<S> {
  const all = fieldsIn(form).map(([name, each]) => [name, factsOf(each).default] as const);
  return Object.fromEntries(all.filter(([, value]) => value !== undefined)) as Defaults<S>;
}

/** Settings with every default filled in; without secrets and lists of groups, which a host is told another way. */
export type Complete<S> = {
  [
    K in keyof S as S[K] extends Secret | z.ZodOptional<z.ZodArray<z.ZodObject>> ? never : K
  ]: S[K] extends z.ZodOptional<z.ZodObject<infer I>>
    ? Complete<I>
    : S[K] extends z.ZodType
      ? S[K] extends Defaulted<unknown>
        ? Exclude<z.output<S[K]>, undefined>
        : z.output<S[K]>
      : never;
};

export function complete<S extends Fields>(form: z.ZodObject<S>, settings: object | undefined): Complete<S> {
  const values = (settings ?? {}) as Shape;
  const all = fieldsIn(form).flatMap(([name, each]) => {
    const [facts, inner] = [factsOf(each), bare(each)];
    if (facts.secret === true || (isList(each) && fieldsIn(each).length > 0)) {
      return [];
    }
    const value = inner instanceof z.ZodObject ? complete(inner, values[name] as Shape | undefined) : values[name];
    return [[name, value ?? facts.default]];
  });
  return Object.fromEntries(all) as Complete<S>;
}

/** The lines of a host's settings file that are told as they are set, by name. */
export function keysOf(form: z.ZodType, settings: object): Record<string, string> {
  const values = settings as Record<string, string | number | boolean | object | undefined>;
  const all = fieldsIn(form).flatMap(([name, each]) => {
    const [{ key }, value] = [factsOf(each), values[name]];
    if (typeof value === "object") {
      return isList(each) ? [] : Object.entries(keysOf(each, value));
    }
    return key === undefined ? [] : [[key, String(value ?? "")] as const];
  });
  return Object.fromEntries(all);
}
