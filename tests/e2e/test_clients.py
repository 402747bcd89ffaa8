"""The built server driven by pytest-lsp, with the capabilities of VS Code and of Neovim."""

import os
import pathlib

import pytest
import pytest_lsp
from lsprotocol import types as t
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

HERE = pathlib.Path(__file__).parent
MTLC = os.environ["MTLC"]
SPEC = (HERE / "spec.mtl").read_text()


@pytest_lsp.fixture(
    params=["visual-studio-code", "neovim"],
    config=ClientServerConfig(server_command=[MTLC, "lsp"]),
)
async def client(request, lsp_client: LanguageClient, tmp_path):
    path = tmp_path / "spec.mtl"
    path.write_text(SPEC)
    lsp_client.uri = path.as_uri()

    @lsp_client.feature(t.CLIENT_REGISTER_CAPABILITY)
    def registered(_: t.RegistrationParams):
        """VS Code watches files for a server that asks."""

    answer = await lsp_client.initialize_session(
        t.InitializeParams(
            capabilities=client_capabilities(request.param),
            workspace_folders=[t.WorkspaceFolder(uri=tmp_path.as_uri(), name="work")],
        )
    )
    lsp_client.encoding = answer.capabilities.position_encoding
    yield
    await lsp_client.shutdown_session()


async def open_(client, text=SPEC):
    item = t.TextDocumentItem(uri=client.uri, language_id="mtl", version=1, text=text)
    client.text_document_did_open(t.DidOpenTextDocumentParams(text_document=item))
    await client.wait_for_notification(t.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    return client.diagnostics[client.uri]


def place(text, marked):
    offset = text.index(marked.replace("|", "", 1)) + marked.index("|")
    line = text.count("\n", 0, offset)
    return t.Position(line=line, character=offset - (text.rfind("\n", 0, offset) + 1))


def document(client):
    return t.TextDocumentIdentifier(uri=client.uri)


def at(kind, client, marked, text=SPEC, **more):
    return kind(text_document=document(client), position=place(text, marked), **more)


def apply(text, edits):
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    def offset(p):
        return min(starts[min(p.line, len(starts) - 1)] + p.character, len(text))
    for e in sorted(edits, key=lambda e: offset(e.range.start), reverse=True):
        text = text[: offset(e.range.start)] + e.new_text + text[offset(e.range.end) :]
    return text


@pytest.mark.asyncio
async def test_diagnostics(client):
    found = await open_(client, SPEC.replace("unit(width)", "unit(widht)"))
    assert [d.code for d in found] == ["mtl::name::unknown"]
    assert found[0].range.start == t.Position(line=12, character=18)
    client.text_document_did_change(
        t.DidChangeTextDocumentParams(
            text_document=t.VersionedTextDocumentIdentifier(uri=client.uri, version=2),
            content_changes=[t.TextDocumentContentChangePartial(range=found[0].range, text="width")],
        )
    )
    await client.wait_for_notification(t.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    assert not client.diagnostics[client.uri]


@pytest.mark.asyncio
async def test_hover(client):
    await open_(client)
    found = await client.text_document_hover_async(at(t.HoverParams, client, "stage c|2"))
    assert "f32[32, 8, 8]" in found.contents.value and "receptive field" in found.contents.value


@pytest.mark.asyncio
async def test_completion(client):
    text = SPEC.replace("-> relu\n}", "-> re\n}")
    await open_(client, text)
    found = await client.text_document_completion_async(at(t.CompletionParams, client, "linear(32) -> re|", text))
    item = next(i for i in found.items if i.label == "relu")
    assert apply(text, [item.text_edit]) == SPEC


@pytest.mark.asyncio
async def test_definition_and_references(client):
    await open_(client)
    found = await client.text_document_definition_async(at(t.DefinitionParams, client, "level c|2"))
    assert found.range.start == place(SPEC, "stage |c2")
    found = await client.text_document_references_async(
        at(t.ReferenceParams, client, "stage c|2", context=t.ReferenceContext(include_declaration=True))
    )
    assert len(found) == 2


@pytest.mark.asyncio
async def test_rename(client):
    await open_(client)
    found = await client.text_document_rename_async(at(t.RenameParams, client, "stage c|2", new_name="middle"))
    assert apply(SPEC, found.changes[client.uri]) == SPEC.replace("c2", "middle")


@pytest.mark.asyncio
async def test_formatting(client):
    untidy = SPEC.replace("  stage c1 =", "      stage   c1=")
    await open_(client, untidy)
    options = t.FormattingOptions(tab_size=2, insert_spaces=True)
    found = await client.text_document_formatting_async(
        t.DocumentFormattingParams(text_document=document(client), options=options)
    )
    assert apply(untidy, found) == SPEC


@pytest.mark.asyncio
async def test_inlay_hints(client):
    await open_(client)
    whole = t.Range(start=t.Position(line=0, character=0), end=t.Position(line=99, character=0))
    found = await client.text_document_inlay_hint_async(
        t.InlayHintParams(text_document=document(client), range=whole)
    )
    assert [h.label for h in found][:4] == [": f32[16, 16, 16]", ": f32[32, 8, 8]", ": f32[32]", "2 × 33 parameters"]


@pytest.mark.asyncio
async def test_semantic_tokens(client):
    await open_(client)
    found = await client.text_document_semantic_tokens_full_async(t.SemanticTokensParams(text_document=document(client)))
    assert len(found.data) % 5 == 0 and len(found.data) > 300


@pytest.mark.asyncio
async def test_a_code_action_applied(client):
    text = SPEC.replace("unit(width)", "unit(widht)")
    problems = await open_(client, text)
    found = await client.text_document_code_action_async(
        t.CodeActionParams(
            text_document=document(client), range=problems[0].range, context=t.CodeActionContext(diagnostics=problems)
        )
    )
    fix = next(a for a in found if a.kind == t.CodeActionKind.QuickFix)
    assert apply(text, fix.edit.changes[client.uri]) == SPEC


@pytest.mark.asyncio
async def test_symbols_lenses_and_preview(client):
    await open_(client)
    symbols = await client.text_document_document_symbol_async(t.DocumentSymbolParams(text_document=document(client)))
    assert [s.name for s in symbols if s.children] == ["net", "branching"]
    lenses = await client.text_document_code_lens_async(t.CodeLensParams(text_document=document(client)))
    assert {"mtlc.check", "mtlc.graph", "mtlc.search"} <= {l.command.command for l in lenses}
    drawn = await client.protocol.send_request_async("mtlc/preview", {"textDocument": {"uri": client.uri}})
    assert drawn.drawing.startswith("<svg")
