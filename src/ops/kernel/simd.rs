//! Selects the vector instructions of the kernels. Plain loops over slices are compiled twice: for any processor, and for AVX2.

use std::sync::atomic::{AtomicU8, Ordering};

use super::Real;

/// The instruction sets that kernels have code for, from the smallest to the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// The baseline of the architecture.
    Portable = 1,
    /// AVX2 and fused multiply-add.
    Avx2 = 2,
    /// AVX-512F, and AVX2 in kernels without AVX-512 code.
    Avx512 = 3,
}

/// The current level, or 0 before the first query.
static LEVEL: AtomicU8 = AtomicU8::new(0);

impl Level {
    pub const ALL: [Level; 3] = [Level::Portable, Level::Avx2, Level::Avx512];

    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// Whether this processor supports the instructions.
    #[cfg(target_arch = "x86_64")]
    pub fn is_there(self) -> bool {
        let avx2 = || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        match self {
            Level::Portable => true,
            Level::Avx2 => avx2(),
            Level::Avx512 => avx2() && is_x86_feature_detected!("avx512f"),
        }
    }

    /// Whether this processor supports the instructions.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_there(self) -> bool {
        self == Level::Portable
    }

    /// The highest level that this processor supports.
    fn highest() -> Level {
        Level::ALL.into_iter().rfind(|l| l.is_there()).expect("the portable level is always there")
    }

    /// The level in the environment variable `MTLC_SIMD`; the highest level if it is not set. An unknown level is an error, and so is
    /// one that this processor does not support.
    pub fn chosen() -> Result<Level, String> {
        let Ok(name) = std::env::var("MTLC_SIMD") else { return Ok(Level::highest()) };
        match Level::ALL.into_iter().find(|l| l.name() == name.trim()) {
            Some(level) if level.is_there() => Ok(level),
            Some(level) => Err(format!("`MTLC_SIMD` asks for {}, which this processor does not have", level.name())),
            None => Err(format!("`MTLC_SIMD` is `{name}`, which is not a level of vector instructions")),
        }
    }

    /// The level that kernels use.
    #[inline]
    pub fn current() -> Level {
        match LEVEL.load(Ordering::Relaxed) {
            1 => Level::Portable,
            2 => Level::Avx2,
            3 => Level::Avx512,
            _ => Level::first(),
        }
    }

    /// The program refuses an invalid level when it starts; users of the library get the default.
    #[cold]
    fn first() -> Level {
        let level = Level::chosen().unwrap_or_else(|_| Level::highest());
        level.make_current();
        level
    }

    /// Makes all kernels of this process use the level. Tests use it to compare levels.
    ///
    /// # Panics
    /// If this processor does not support the instructions.
    pub fn make_current(self) {
        assert!(self.is_there(), "this processor does not have {}", self.name());
        LEVEL.store(self as u8, Ordering::Relaxed);
    }
}

/// A function whose loops use the vectors of this processor; generics in square brackets. Only what is inlined into the second
/// version is compiled for them, so the body is, always.
macro_rules! wide {
    ($(#[$doc:meta])* $vis:vis fn $name:ident[$($generic:tt)*]($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name<$($generic)*>($($arg: $ty),*) $(-> $out)? {
            #[inline(always)]
            fn plain<$($generic)*>($($arg: $ty),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$($generic)*>($($arg: $ty),*) $(-> $out)? {
                    plain($($arg),*)
                }
                if $crate::ops::kernel::simd::Level::current() >= $crate::ops::kernel::simd::Level::Avx2 {
                    // SAFETY: the processor has the instructions of the current level.
                    return unsafe { avx2($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}
pub(crate) use wide;

wide! {
    /// `y = f(a)` for every element.
    pub fn set1[T: Real, F: Fn(T) -> T](y: &mut [T], a: &[T], f: F) {
        for (y, a) in y.iter_mut().zip(a) {
            *y = f(*a);
        }
    }
}

wide! {
    /// `y = f(y, a)` for every element.
    pub fn change[T: Real, F: Fn(T, T) -> T](y: &mut [T], a: &[T], f: F) {
        for (y, a) in y.iter_mut().zip(a) {
            *y = f(*y, *a);
        }
    }
}

wide! {
    /// `y = f(a, b)` for every element.
    pub fn set2[T: Real, F: Fn(T, T) -> T](y: &mut [T], a: &[T], b: &[T], f: F) {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = f(*a, *b);
        }
    }
}

wide! {
    /// `y = f(a, b, c)` for every element.
    pub fn set3[T: Real, F: Fn(T, T, T) -> T](y: &mut [T], a: &[T], b: &[T], c: &[T], f: F) {
        for (((y, a), b), c) in y.iter_mut().zip(a).zip(b).zip(c) {
            *y = f(*a, *b, *c);
        }
    }
}
