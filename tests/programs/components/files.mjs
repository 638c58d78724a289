// The import of the world `notes`, for its translations to JavaScript.
export const { AppFile: File } = globalThis;
