//! The door by which Lance takes our codes: these tests fail when an update of Lance closes or moves it.

use arrow_array::types::UInt64Type;
use arrow_array::{RecordBatch, cast::AsArray};
use arrow_schema::Schema;

use super::super::sample::Random;
use super::super::write::{Compression, FragmentWriter};
use super::super::{commit::commit as commit_rows, encode::encode};
use super::*;

const DIMENSION: usize = 16;
const ROWS: usize = 3000;

/// Random rows, every seventh the placeholder, in three fragments.
fn dataset(engine: &Arc<Engine>, path: &Path) -> Opened {
    let mut random = Random(11);
    let schema = Arc::new(Schema::new(vec![Field::new("vector", DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), 16), false)]));
    let mut fragments = Vec::new();
    for fragment in 0..3 {
        let mut writer = FragmentWriter::new(Arc::clone(engine), &uri(path).unwrap(), 1 << 20, Compression::None);
        let rows: Vec<f32> = (0..ROWS / 3 * DIMENSION).map(|at| if (at / DIMENSION + fragment).is_multiple_of(7) { f32::NAN } else { random.unit() }).collect();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(list(rows, DIMENSION).unwrap())]).unwrap()).unwrap();
        fragments.append(&mut writer.finish().unwrap());
    }
    commit_rows(engine, path, &schema, fragments).unwrap()
}

/// The ten nearest rows by the index alone.
fn search(engine: &Engine, opened: &Opened, query: &[f32], metric: Metric) -> Vec<u64> {
    let metric = match metric {
        Metric::Cosine => DistanceType::Cosine,
        Metric::L2 => DistanceType::L2,
        Metric::Dot => DistanceType::Dot,
    };
    let batch = engine.block_on(async {
        let mut scanner = opened.dataset.scan();
        scanner.nearest("vector", &Float32Array::from(query.to_vec()), 10)?.distance_metric(metric).nprobes(4).fast_search();
        scanner.project(&["_distance"])?.with_row_id();
        scanner.try_into_batch().await
    });
    batch.unwrap().column_by_name("_rowid").unwrap().as_primitive::<UInt64Type>().values().to_vec()
}

fn models(engine: &Arc<Engine>, opened: &Opened, metric: Metric, bits: usize) -> (Arc<Models>, Choice) {
    let wishes = Wishes { partitions: Some(4), sub_vectors: Some(8), bits: Some(bits), ..Wishes::default() };
    let choice = choose(IndexKind::IvfPq, wishes, ROWS as u64, DIMENSION).unwrap();
    let survey = survey(engine, opened, DIMENSION, 3000, metric == Metric::Cosine).unwrap();
    (Arc::new(train(survey.sample, &choice, metric)), choice)
}

fn with_index(engine: &Engine, opened: &Opened, models: &Models, choice: &Choice, codes: Option<&Path>) -> Opened {
    let params = vector_params(models, choice, DIMENSION, codes).unwrap();
    let job = Job::new("vector", IndexType::Vector, Box::new(params));
    let indices = engine.block_on(run(opened.dataset.clone(), vec![job], 1)).unwrap();
    let mut opened = opened.clone();
    commit(engine, &mut opened, indices, &|_| false).unwrap();
    opened
}

fn query(seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..DIMENSION).map(|_| random.unit()).collect()
}

#[test]
fn lance_indexes_exactly_the_rows_that_have_codes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(Engine::new(2).unwrap());
    let opened = dataset(&engine, &folder.path().join("rows.lance"));
    let (models, choice) = models(&engine, &opened, Metric::L2, 8);
    let codes = folder.path().join("codes.lance");
    let finite = encode(&engine, &opened, &models, DIMENSION, None, &codes).unwrap();
    assert!((2500..2600).contains(&finite), "six of seven rows have a vector: {finite}");
    // Every row but those with an even offset loses its code; a Lance that encoded by itself would find them all the same.
    let mut only_even = super::super::commit::open(&engine, &codes).unwrap();
    let odd = (0..finite).filter(|row| row % 2 == 1).collect();
    only_even.delete(&engine, &odd).unwrap();
    let kept = engine.block_on(async { only_even.dataset.scan().project(&["row_id"]).unwrap().try_into_batch().await }).unwrap();
    let kept = kept.column(0).as_primitive::<UInt64Type>().values().to_vec();
    let indexed = with_index(&engine, &opened, &models, &choice, Some(&codes));
    for seed in 0..20 {
        let found = search(&engine, &indexed, &query(seed), Metric::L2);
        assert_eq!(found.len(), 10);
        assert!(found.iter().all(|row| kept.contains(row)), "Lance did not build its index from the codes");
    }
}

#[test]
fn our_codes_find_what_lance_s_own_codes_find() {
    for (metric, bits) in [(Metric::L2, 8), (Metric::Cosine, 8), (Metric::L2, 4), (Metric::Cosine, 4)] {
        let folder = tempfile::tempdir().unwrap();
        let engine = Arc::new(Engine::new(2).unwrap());
        let opened = dataset(&engine, &folder.path().join("rows.lance"));
        let (models, choice) = models(&engine, &opened, metric, bits);
        let codes = folder.path().join("codes.lance");
        encode(&engine, &opened, &models, DIMENSION, None, &codes).unwrap();
        let ours = with_index(&engine, &opened, &models, &choice, Some(&codes));
        let theirs = with_index(&engine, &ours, &models, &choice, None);
        let same: usize = (0..50)
            .map(|seed| {
                let (ours, theirs) = (search(&engine, &ours, &query(seed), metric), search(&engine, &theirs, &query(seed), metric));
                ours.iter().filter(|row| theirs.contains(row)).count()
            })
            .sum();
        // Codes of equal distance may be chosen otherwise, so a few neighbours may change places at the end of the ten.
        assert!(same >= 490, "{metric:?} {bits} bits: {same} of 500 neighbours are the same");
    }
}

#[test]
fn with_little_memory_an_index_has_parts_and_still_finds_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(Engine::new(2).unwrap());
    let mut opened = dataset(&engine, &folder.path().join("rows.lance"));
    let wishes = Wishes { partitions: Some(4), sub_vectors: Some(8), ..Wishes::default() };
    let order = Order { kind: IndexKind::IvfPq, wishes, metric: Metric::L2, memory: 512 << 10, named: false };
    let built = build(&engine, &mut opened, &order).unwrap();
    assert_eq!(built.names, [VECTOR_INDEX]);
    let indices = engine.block_on(opened.dataset.load_indices()).unwrap();
    let mut covered: Vec<u32> = indices.iter().flat_map(|index| index.fragment_bitmap.clone().unwrap()).collect();
    covered.sort_unstable();
    assert_eq!((indices.len(), covered), (3, vec![0, 1, 2]));
    let rows = engine.block_on(async { opened.dataset.scan().with_row_id().try_into_batch().await }).unwrap();
    let vectors = rows.column_by_name("vector").unwrap().as_fixed_size_list().clone();
    let ids = rows.column_by_name("_rowid").unwrap().as_primitive::<UInt64Type>().clone();
    for at in (0..ROWS).step_by(97) {
        let vector = vectors.value(at).as_primitive::<arrow_array::types::Float32Type>().values().to_vec();
        if vector[0].is_finite() {
            assert!(search(&engine, &opened, &vector, Metric::L2).contains(&ids.value(at)), "row {at} is not among its own neighbours");
        }
    }
}
