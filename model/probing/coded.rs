//! Enums of probing that the machine carries as a number and arguments, since it knows no subject.

/// Defines an enum, each variant with its typed arguments, and its way to the machine and back.
macro_rules! coded {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])* $variant:ident $(($($arg:ident: $type:ty),*))?,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant $(($($type),*))?,)*
        }

        impl $name {
            /// The number of the variant and its arguments.
            #[must_use]
            pub fn encode(self) -> (u8, [Obs; 3]) {
                enum Number {
                    $($variant,)*
                }
                let mut all = [Obs::None; 3];
                match self {
                    $($name::$variant $(($($arg),*))? => {
                        let args: &[Obs] = &[$($(Datum::to_obs($arg)),*)?];
                        all[..args.len()].copy_from_slice(args);
                        (Number::$variant as u8, all)
                    })*
                }
            }

            /// The other way.
            ///
            /// # Panics
            ///
            /// If they were not made by [`encode`](Self::encode), which is our own mistake.
            #[must_use]
            pub fn decode(number: u8, args: [Obs; 3]) -> Self {
                let mut numbers = 0..;
                let mut _args = args.into_iter();
                $(if numbers.next() == Some(number) {
                    return $name::$variant $(($(<$type as Datum>::from_obs(
                        _args.next().expect("internal: at most three arguments"),
                    )),*))?;
                })*
                unreachable!("internal: {} has no number {number}", stringify!($name))
            }
        }
    };
}

/// Defines enums of states, each with its number in memory and its name in the kernel.
macro_rules! states {
    ($($(#[$doc:meta])* $type:ident { $($(#[$of:meta])* $state:ident = $number:literal $name:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$of])* $state = $number,)*
        }

        impl $type {
            /// The name of a state in the kernel, by its number.
            #[must_use]
            pub fn name(number: u8) -> Option<&'static str> {
                match number {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }

        impl Datum for $type {
            fn to_obs(self) -> Obs {
                Obs::Int(self as u8)
            }

            fn from_obs(obs: Obs) -> Self {
                match u8::from_obs(obs) {
                    $($number => $type::$state,)*
                    other => unreachable!("internal: {other} is no {}", stringify!($type)),
                }
            }
        }

        observe_datum!($type);
    )*};
}

pub(crate) use {coded, states};
