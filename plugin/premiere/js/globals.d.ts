/** The host's modules, as UXP's `require` gives them. */
declare module "premierepro" {
  const ppro: import("@adobe/premierepro").premierepro;
  export = ppro;
}
declare module "uxp" {
  const uxp: import("./types.d.ts").Uxp;
  export = uxp;
}
