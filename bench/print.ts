/** Takes a piece of the report as Markdown; the command line prints it. */
export type Print = (text: string) => void;
