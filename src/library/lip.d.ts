/** Library files are bundled as text. */
declare module '*.lip' {
  const text: string;
  export default text;
}
