//! What is sent to a GPU arrives as it was, whatever the GPU still has to do then.

use candle_core::{DType, Device, Tensor};
use mtlc::ops::cuda::{Gpu, pinned::Buffers};
use mtlc::ops::send;
use mtlc::random::Randomness;
use mtlc::runtime::feed::Fed;
use mtlc::runtime::reader::Deal;
use mtlc::runtime::synthetic;

use super::programs;
use super::{gpu, numbers};

/// Whole numbers, other ones for each `i`, all of which f32 holds.
fn counted(i: usize, len: usize) -> Vec<f32> {
    (0..len).map(|j| ((i * 7919 + j) % (1 << 24)) as f32).collect()
}

/// Keeps a GPU busy for some milliseconds, so that what is sent behind it is still to come. The emulation is late by itself.
fn occupy(device: &Device) -> Vec<Tensor> {
    if std::env::var_os("EMULATED").is_some() {
        return Vec::new();
    }
    let x = Tensor::zeros((4096, 4096), DType::F32, device).unwrap();
    (0..8).map(|_| x.matmul(&x).unwrap()).collect()
}

/// Many lists of changing sizes, more than there are buffers, none of which is read before the last is sent; with room for none, for
/// some, and for as many as the system gives.
#[test]
fn what_is_sent_keeps_its_numbers() {
    let device = gpu();
    let Device::Cuda(cuda) = &*device else { panic!("this is a GPU") };
    let gpu = Gpu { device: cuda.clone() };
    let small: Vec<_> = (0..600).map(|i| counted(i, [1, 700, 5000, 1000, 1025][i % 5])).collect();
    let mut large: Vec<_> = (0..80).map(|i| counted(i, (1 << 18) + 3)).collect();
    large.push(counted(80, 300_001));
    for (lists, most) in
        [(&small, 0), (&small, 40 << 10), (&small, 300 << 10), (&small, usize::MAX), (&large, usize::MAX)]
    {
        let buffers = Buffers::new(cuda, most);
        for _ in 0..2 {
            let busy = occupy(&device);
            let sent: Vec<_> = lists.iter().map(|l| buffers.send(&gpu, l).expect("sent")).collect();
            assert!(
                buffers.bytes() <= most && (buffers.bytes() > 0) == (most > 0),
                "{} bytes of {most}",
                buffers.bytes()
            );
            for (i, (list, sent)) in lists.iter().zip(&sent).enumerate() {
                assert!(cuda.clone_dtoh(sent).expect("a copy") == *list, "list {i}, with room for {most} bytes");
            }
            drop(busy);
            // Nothing is on its way any more: a buffer of each size serves again, and there are no new ones.
            let before = buffers.bytes();
            lists[..5].iter().for_each(|l| drop(buffers.send(&gpu, l).expect("sent")));
            assert_eq!(buffers.bytes(), before, "with room for {most} bytes");
        }
    }
}

/// Kernels see what was sent beside them, also in memory that kernels before used; what is dropped unread harms nothing.
#[test]
fn what_is_sent_early_arrives_before_it_is_read() {
    let device = gpu();
    let mut all = Vec::new();
    let mut held = Tensor::zeros(5000, DType::F32, &device).unwrap();
    for i in 0..60 {
        let lists = [counted(3 * i, 5000), counted(3 * i + 1, 5000), counted(3 * i + 2, 70)];
        let busy = occupy(&device);
        let send = || lists.iter().map(|l| send::tensor(l.clone(), l.len(), &device)).collect::<Result<Vec<_>, _>>();
        let early = send::early(&device, send).expect("sent").expect("this is a GPU");
        held = (held + 1.0).unwrap();
        if i % 3 == 2 {
            continue;
        }
        let doubled: Vec<Tensor> = early.arrived().iter().map(|t| (t * 2.0).unwrap()).collect();
        all.push((lists, doubled));
        drop(busy);
    }
    for (lists, doubled) in &all {
        for (list, doubled) in lists.iter().zip(doubled) {
            assert!(numbers(doubled).iter().zip(list).all(|(d, v)| *d == 2.0 * f64::from(*v)));
        }
    }
    assert!(numbers(&held).iter().all(|v| *v == 60.0));
}

/// Batches of changing sizes, dealt with readers and without, are those of the CPU.
#[test]
fn batches_are_those_of_the_cpu() {
    let gpu = gpu();
    let text = "mtl 1\ninput x: f32[3, 64, 64]\ntask t: binary\ntask u: classes(5)\nbackbone net(x) {\n  stage s = flatten -> \
                linear(2)\n}\nhead for * = linear(outputs)\n";
    let checked = programs::check(text);
    let mut feed = synthetic::feed(&checked, 120, Randomness::new(1)).expect("a feed");
    let table = &feed.dataset.train;
    // Some 48 kB a row: the first list is long enough for readers.
    let lists: Vec<Vec<u32>> =
        (0..24).map(|i| (0..[30, 3, 30, 17, 41][i % 5]).map(|j| (i as u32 * 31 + j * 7) % 120).collect()).collect();
    let expected: Vec<Fed> = lists.iter().map(|l| feed.take(table, l, &Device::Cpu).expect("a batch")).collect();
    let same = |a: &Tensor, b: &Tensor| {
        assert!(a.dims() == b.dims() && numbers(a) == numbers(&b.to_device(&Device::Cpu).unwrap()))
    };
    for (readers, ends) in [(0, 24), (1, 24), (3, 24), (2, 5)] {
        feed.readers = readers;
        let deal = Deal { table: &feed.dataset.train, lists: &lists, drawn: None };
        feed.deal(&deal, &gpu, |dealer| {
            let mut dealt = Vec::new();
            while let Some(fed) = dealer.batch()? {
                // A step, in which readers get ready.
                std::thread::sleep(std::time::Duration::from_millis(5));
                dealt.push((&fed.inputs[&0] * 1.0)?);
                let expected = &expected[dealt.len() - 1];
                assert_eq!(fed.rows, expected.rows);
                fed.labels.iter().zip(&expected.labels).for_each(|(a, b)| same(b, a));
                if dealt.len() == ends {
                    break;
                }
            }
            assert_eq!(dealt.len(), ends);
            dealt.iter().zip(&expected).for_each(|(a, b)| same(&b.inputs[&0], a));
            Ok(())
        })
        .expect("batches");
    }
}
