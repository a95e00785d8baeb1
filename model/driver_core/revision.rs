//! Revisions of the driver core: the kernel's releases, the series of the mail threads, and stable kernels.

/// A revision under review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Its name in scenario files.
    pub name: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// The kernel version that it counts as, for ranges of versions.
    pub version: (u16, u16),
    /// The series that it adds to that version, if it is none of the kernel's own.
    pub series: Series,
}

/// Patches on a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    /// The kernel's own release.
    Released,
    /// Luis Rodriguez, "driver-core: add driver module asynchronous probe support", v2 6/7.
    Luis,
    /// Alexander Duyck, "driver core: Probe devices asynchronously instead of the driver", v4 4/6.
    DuyckV4,
    /// The same, v6 6/9.
    DuyckV6,
    /// What the stable kernel 5.15.100 has taken from later releases.
    Stable515,
}

/// All revisions, oldest first; a series after the release that it counts as.
pub const REVISIONS: &[Revision] = &[
    released("v3.18", "Linux 3.18, 7 Dec 2014: synchronous probing only", (3, 18)),
    Revision {
        name: "luis-v2",
        source: "Luis R. Rodriguez, [PATCH v2 6/7] driver-core: add driver module asynchronous probe support, 2014",
        version: (3, 18),
        series: Series::Luis,
    },
    released("v4.2", "Linux 4.2, 30 Aug 2015: Dmitry Torokhov's asynchronous probing (765230b5f084)", (4, 2)),
    released("v4.20", "Linux 4.20, 23 Dec 2018: what Duyck's series were written for", (4, 20)),
    Revision {
        name: "duyck-v4",
        source: "Alexander Duyck, [driver-core PATCH v4 4/6] driver core: Probe devices asynchronously instead of the driver, 15 Oct 2018",
        version: (4, 20),
        series: Series::DuyckV4,
    },
    Revision {
        name: "duyck-v6",
        source: "Alexander Duyck, [driver-core PATCH v6 6/9] driver core: Probe devices asynchronously instead of the driver, 8 Nov 2018",
        version: (4, 20),
        series: Series::DuyckV6,
    },
    released(
        "v5.1",
        "Linux 5.1, 5 May 2019: the merged form (ef0ff68351be), dead flag (3451a495ef24)",
        (5, 1),
    ),
    released("v5.9", "Linux 5.9, 11 Oct 2020: dead is checked in __device_attach", (5, 9)),
    released(
        "v5.15",
        "Linux 5.15, 31 Oct 2021: can_match (f2db85b64f0a), driver_probe_device in two (204db60c8357)",
        (5, 15),
    ),
    Revision {
        name: "v5.15.100",
        source: "Linux 5.15.100, stable: 5.15 with the repairs of 5.17 to 6.3, but not with 84e7c6786aad",
        version: (5, 15),
        series: Series::Stable515,
    },
    released("v5.19", "Linux 5.19, 31 Jul 2022: __device_attach schedules unlocked (b232b02bf3c2)", (5, 19)),
    released("v6.0", "Linux 6.0, 2 Oct 2022: __driver_attach schedules unlocked (70fe758352ca)", (6, 0)),
    released("v6.2", "Linux 6.2, 19 Feb 2023: a match error no longer ends the walk", (6, 2)),
    released(
        "v6.6",
        "Linux 6.6, 29 Oct 2023: a failing device_add clears dev->driver (f6837f34a349)",
        (6, 6),
    ),
    released("v6.12", "Linux 6.12, 17 Nov 2024: long-term kernel", (6, 12)),
    released("v7.1-rc", "Linux 7.1-rc: the ready flag (a2225b6e834a)", (7, 1)),
    released("v7.1", "Linux 7.1, read as 7.1.5", (7, 1)),
];

const fn released(name: &'static str, source: &'static str, version: (u16, u16)) -> Revision {
    Revision { name, source, version, series: Series::Released }
}

impl Revision {
    /// The revision of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Revision> {
        REVISIONS.iter().find(|revision| revision.name == name)
    }

    /// Whether it counts as this version or a later one.
    #[must_use]
    pub fn since(&self, major: u16, minor: u16) -> bool {
        self.version >= (major, minor)
    }

    /// Whether it is one of Duyck's series.
    #[must_use]
    pub fn duyck(&self) -> bool {
        matches!(self.series, Series::DuyckV4 | Series::DuyckV6)
    }
}
