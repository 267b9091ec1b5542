// In place of libraries that a provider never calls.
export {};
