//! Pages to records, by the layouts that are built in.

use super::*;
use crate::formats::PageEnd;
use crate::source::chunk::{ChunkData, LineChunk};

/// Records as (line, byte, text), and rejects as (line, byte, code).
type Told = (Vec<(u64, u64, String)>, Vec<(u64, u64, &'static str)>, Option<PageEnd>);

fn unpack(format: &str, text: &str) -> Told {
    let pages = Pages::of(&Spec::built_in(format).unwrap()).unwrap();
    let chunk = Chunk::Lines(LineChunk { offset: 0, data: ChunkData::Owned(text.as_bytes().to_vec()), newlines: 0, last: true, oversize: None });
    let out = pages.unpack(&chunk, 0);
    let texts = (0..out.places.len()).map(|at| String::from_utf8(out.text(at).to_vec()).unwrap());
    let records = out.places.iter().zip(texts).map(|(p, t)| (p.line.unwrap(), p.byte.unwrap(), t)).collect();
    let broken = out.broken.iter().map(|r| (r.place.line.unwrap(), r.place.byte.unwrap(), r.refusal.code.name())).collect();
    (records, broken, out.end)
}

#[test]
fn a_list_gives_its_records_with_their_places_and_an_error_is_a_lost_page() {
    let text = concat!(
        "{\"result\":{\"points\":[{\"id\":1}, {\"id\":2}],\"next_page_offset\":3},\"status\":\"ok\"}\n",
        "{\"status\":{\"error\":\"rate limit\"},\"time\":0}\n",
        "\n",
        "{\"result\":{\"points\":[],\"next_page_offset\":null},\"status\":\"ok\"} {\"result\":{\"points\":[{\"id\":\"x\"}]}}\n",
        "{\"result\":{\"points\":[{\"id\":4},{\"id\"",
    );
    let (records, broken, end) = unpack("qdrant-pages", text);
    let texts: Vec<_> = records.iter().map(|(line, _, text)| (*line, text.as_str())).collect();
    assert_eq!(texts, [(1, "{\"id\":1}"), (1, "{\"id\":2}"), (4, "{\"id\":\"x\"}")]);
    for (_, byte, record) in &records {
        let at = usize::try_from(*byte).unwrap();
        assert_eq!(&text[at..at + record.len()], record);
    }
    let codes: Vec<_> = broken.iter().map(|(line, _, code)| (*line, *code)).collect();
    assert_eq!(codes, [(2, "lost-page"), (5, "cut-off")]);
    assert_eq!(end, Some(PageEnd { next: None, ended: true }));
}

#[test]
fn a_map_gives_its_ids_and_columns_their_rows() {
    let (records, broken, _) =
        unpack("pinecone-pages", "{\"vectors\":{\"a\":{\"id\":\"a\",\"values\":[1]},\"b\\n\":{\"values\":[2]},\"c\":{}},\"namespace\":\"\"}");
    let texts: Vec<_> = records.iter().map(|(.., text)| text.as_str()).collect();
    assert_eq!(texts, ["{\"id\":\"a\",\"values\":[1]}", "{\"id\":\"b\\n\",\"values\":[2]}", "{\"id\":\"c\"}"]);
    assert!(broken.is_empty());
    let page = "{\"ids\":[\"a\",\"b\"],\"embeddings\":[[1],null],\"documents\":null,\"metadatas\":[null,{\"k\":1}]}";
    let (records, ..) = unpack("chroma-pages", page);
    let texts: Vec<_> = records.iter().map(|(.., text)| text.as_str()).collect();
    assert_eq!(texts, ["{\"id\":\"a\",\"embedding\":[1],\"metadata\":null}", "{\"id\":\"b\",\"embedding\":null,\"metadata\":{\"k\":1}}"]);
    let (records, broken, _) = unpack("chroma-pages", "{\"ids\":[\"a\",\"b\"],\"embeddings\":[[1]]}\n{\"error\":\"NotFound\",\"message\":\"…\"}");
    assert!(records.is_empty());
    assert_eq!(broken.iter().map(|(.., code)| *code).collect::<Vec<_>>(), ["lost-page", "lost-page"]);
}

#[test]
fn states_and_namespaces_of_pages_are_looked_at() {
    let (records, broken, _) = unpack("milvus-pages", "{\"code\":1100,\"data\":[{\"pk\":1}],\"message\":\"x\"}\n{\"code\":0,\"data\":[{\"pk\":2}]}\n");
    assert_eq!((records.len(), broken.len()), (1, 1));
    let (records, broken, _) = unpack("pinecone-pages", "{\"vectors\":{\"a\":{\"id\":\"a\"}},\"namespace\":\"other\"}");
    assert_eq!((records[0].2.as_str(), broken.len()), ("{\"$namespace\":\"other\",\"id\":\"a\"}", 0));
    let (.., end) = unpack("qdrant-pages", "{\"result\":{\"points\":[{\"id\":1}],\"next_page_offset\":\"7\"}}");
    assert_eq!(end, Some(PageEnd { next: Some("\"7\"".to_owned()), ended: false }));
}
