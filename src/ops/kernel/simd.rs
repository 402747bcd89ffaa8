//! Plain loops over slices, compiled twice: for any processor of this kind, and for the vectors that this one has.

use super::Real;

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
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has these instructions.
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
