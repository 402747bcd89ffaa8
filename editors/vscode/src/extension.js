// The client: starts `mtlc lsp`, runs what takes long in a terminal, and shows the drawing beside the text.

const vscode = require('vscode');
const { LanguageClient, TransportKind } = require('vscode-languageclient/node');

let client;
/** Panels by the URI of their text. */
const panels = new Map();

function settings() {
  return vscode.workspace.getConfiguration('mtlc');
}

async function start() {
  const command = settings().get('path') || 'mtlc';
  const server = { command, args: ['lsp'], transport: TransportKind.stdio };
  client = new LanguageClient('mtlc', 'mtl', server, {
    documentSelector: [{ language: 'mtl' }],
    initializationOptions: settings(),
    synchronize: { configurationSection: 'mtlc' },
    middleware: {
      executeCommand(name, args, next) {
        const verb = { 'mtlc.search': 'search', 'mtlc.run': 'run' }[name];
        if (verb) return inTerminal(verb, args[0]);
        if (name === 'mtlc.graph') return preview(vscode.Uri.parse(args[0]));
        return next(name, args);
      },
      handleDiagnostics(uri, diagnostics, next) {
        next(uri, diagnostics);
        if (panels.has(uri.toString())) draw(uri);
      },
    },
  });
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(`\`${command} lsp\` could not be started (${error.message}). Set "mtlc.path" to where mtlc is.`);
  }
}

/** Searches and runs take minutes and say what they do: they belong into a terminal. */
async function inTerminal(verb, uri) {
  const file = vscode.Uri.parse(uri);
  const document = vscode.workspace.textDocuments.find((d) => d.uri.toString() === file.toString());
  if (document && document.isDirty && !(await document.save())) return;
  const terminal = vscode.window.createTerminal({
    name: `mtlc ${verb}`,
    shellPath: settings().get('path') || 'mtlc',
    shellArgs: [verb, file.fsPath],
  });
  terminal.show();
}

async function preview(uri) {
  const key = uri.toString();
  let panel = panels.get(key);
  if (!panel) {
    const name = uri.path.split('/').pop();
    panel = vscode.window.createWebviewPanel('mtl.preview', `${name}: drawing`, vscode.ViewColumn.Beside, { enableScripts: false });
    panels.set(key, panel);
    panel.onDidDispose(() => panels.delete(key));
  }
  panel.reveal(undefined, true);
  await draw(uri);
}

/** Draws the text as it stands; while it has errors the last drawing stays. */
async function draw(uri) {
  const panel = panels.get(uri.toString());
  if (!panel || !client) return;
  try {
    const answer = await client.sendRequest('mtlc/preview', { textDocument: { uri: uri.toString() } });
    if (answer.drawing) panel.webview.html = page(answer.drawing);
    else if (!panel.webview.html) panel.webview.html = page('<p>There is nothing to draw while the program has errors.</p>');
  } catch {
    // Edited meanwhile: the next drawing is on its way.
  }
}

function page(content) {
  return `<!DOCTYPE html><html><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:;">
<style>body { background: white; color: black; margin: 0; padding: 8px; } svg { max-width: 100%; height: auto; }</style>
</head><body>${content}</body></html>`;
}

exports.activate = async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand('mtl.preview', () => {
      const editor = vscode.window.activeTextEditor;
      if (editor && editor.document.languageId === 'mtl') return preview(editor.document.uri);
    }),
    vscode.commands.registerCommand('mtl.restart', async () => {
      if (client) await client.stop();
      await start();
    }),
  );
  await start();
};

exports.deactivate = () => client && client.stop();
