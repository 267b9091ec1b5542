// Whether somebody out there answers, found out quickly: a build machine may reach package registries and nothing else.

/** True if the server answers anything at all within the time. */
export async function answers(url: string, seconds = 5): Promise<boolean> {
  try {
    await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(seconds * 1000) });
    return true;
  } catch {
    return false;
  }
}
