//! Measures the life of many secrets on the built-in backend of each platform, on loopback and
//! with a round trip as on a network.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use xtask::terraform::{Terraform, Variables, Workspace};
use xtask::tools::Tools;

use super::baseline::{Weighty, state_bytes};
use super::places::{self, Place, Start};
use super::process::{elapsed, median};
use super::{peers, scale};

const BOUND: Duration = Duration::from_secs(3600);

/// The simulated round trip: that between two data centers of a region's neighborhood.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(20);

/// How far away the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoundTrip {
    /// There is none.
    NoNetwork,
    /// On the same machine.
    Loopback,
    /// On the same machine, with [`ROUND_TRIP`] added.
    Simulated,
}

/// The life of many resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// An apply into empty state, an empty plan, a refresh-only apply, and a destroy.
    pub(super) times: [Duration; 4],
    /// The stored state for each resource, in bytes.
    pub(super) state_bytes: usize,
}

/// The life of one configuration.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// What is measured, and where.
    pub(super) what: String,
    /// How far away the server is.
    pub(super) round_trip: RoundTrip,
    /// The number of resources.
    pub(super) size: usize,
    /// The result.
    pub(super) life: Life,
}

/// Measures each of `sizes` on each platform, as many `terraform_data` resources with as much
/// state, and the peers that are at hand.
///
/// # Errors
///
/// If a run fails.
pub(super) fn measure(
    tools: &Tools,
    terraform: &Terraform,
    binary: &Path,
    sizes: &[usize],
) -> Result<Vec<Measured>> {
    let round_trips = [RoundTrip::Loopback, RoundTrip::Simulated];
    let mut measured = measure_at(
        tools,
        terraform,
        binary,
        sizes,
        (&places::ALL, &round_trips),
    )?;
    measured.extend(peers::measure(tools, terraform, sizes)?);
    Ok(measured)
}

/// As [`measure`], on these platforms at these distances, without peers.
///
/// # Errors
///
/// As [`measure`].
pub(super) fn measure_at(
    tools: &Tools,
    terraform: &Terraform,
    binary: &Path,
    sizes: &[usize],
    (starts, round_trips): (&[Start], &[RoundTrip]),
) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    for start in starts {
        let place = start(tools)?;
        let round_trips = match place.has_a_network() {
            true => round_trips,
            false => &[RoundTrip::NoNetwork],
        };
        for &round_trip in round_trips {
            for &size in sizes {
                let life = one(&place, terraform, binary, round_trip, size);
                measured.push(Measured {
                    what: format!("secrets on {}", place.name),
                    round_trip,
                    size,
                    life: life.with_context(|| place.name)?,
                });
            }
        }
    }
    let bytes = measured.first().map_or(0, |of| of.life.state_bytes);
    let weighty = Weighty::with_state_of(terraform, binary, bytes)?;
    for &size in sizes.iter().rev() {
        let workspace = Workspace::new(terraform, binary)?;
        let size_text = size.to_string();
        let variables = [("size", size_text.as_str())];
        let of = Measured {
            what: "`terraform_data` with equal state".to_owned(),
            round_trip: RoundTrip::NoNetwork,
            size,
            life: life(workspace, &weighty.configuration, size, &variables)?,
        };
        measured.insert(0, of);
    }
    Ok(measured)
}

fn one(
    place: &Place,
    terraform: &Terraform,
    binary: &Path,
    round_trip: RoundTrip,
    size: usize,
) -> Result<Life> {
    let mut workspace = Workspace::new(terraform, binary)?;
    // A CI system creates no key file.
    for name in ["CI", "TF_IN_AUTOMATION", "TFC_RUN_ID"] {
        workspace.env_remove(name);
    }
    for (name, value) in &place.environment {
        workspace.env(name, value);
    }
    let way = place.way(round_trip == RoundTrip::Simulated)?;
    let far = u8::from(round_trip == RoundTrip::Simulated);
    // An organization of its own, since a size is measured from nothing.
    let configuration = format!(
        r#"
terraform {{
  required_providers {{
    planton = {{ source = "plantonhq/planton" }}
  }}
}}
variable "size" {{
  type    = number
  default = {size}
}}
provider "planton" {{
  organization = "bench-{size}-{far}"
  {}
}}
{}"#,
        way.argument,
        scale::MANY
    );
    life(workspace, &configuration, size, &[])
}

/// Measures the life of a configuration with `size` resources.
///
/// # Errors
///
/// If a run fails.
pub(super) fn life(
    mut workspace: Workspace,
    configuration: &str,
    size: usize,
    variables: Variables<'_>,
) -> Result<Life> {
    workspace.bound(BOUND);
    workspace.write("main.tf", configuration)?;
    let apply = workspace.apply(variables)?.ok()?;
    let state_bytes = state_bytes(&workspace, size)?;
    let plan = median(|| workspace.plan(variables)?.no_changes(), elapsed)?;
    let refresh = workspace.apply_with(variables, &["-refresh-only"])?.ok()?;
    let destroy = workspace.destroy(variables)?.ok()?;
    Ok(Life {
        times: [apply, plan, refresh, destroy].map(|run| run.process.elapsed),
        state_bytes,
    })
}

/// Returns the section of docs/benchmarks.md.
///
/// # Errors
///
/// If formatting fails. Formatting into a string does not fail.
pub(super) fn section(measured: &[Measured]) -> Result<String> {
    let mut text = String::from(
        "\n## Platforms\n\nSeconds, with the built-in backend, and the stored state for each resource. A round trip \
         of 20 ms is\nsimulated. `terraform_data` has as much state, and no provider of its own. The key of a bucket is a \
         file.\n\n",
    );
    text.push_str(&table(measured)?);
    text.push_str(&peers::missing(measured));
    Ok(text)
}

/// Returns the table of these results.
///
/// # Errors
///
/// As [`section`].
pub(super) fn table(measured: &[Measured]) -> Result<String> {
    let mut text = String::from(
        "| Resources | Round trip | Number | Apply | Empty plan | Refresh | Destroy | State |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for of in measured {
        let round_trip = match of.round_trip {
            RoundTrip::NoNetwork => "–".to_owned(),
            RoundTrip::Loopback => "loopback".to_owned(),
            RoundTrip::Simulated => format!("{} ms", ROUND_TRIP.as_millis()),
        };
        let times = of.life.times;
        let times = times.map(|time| format!("{:.2}", time.as_secs_f64()));
        writeln!(
            text,
            "| {} | {round_trip} | {} | {} | {} B |",
            of.what,
            of.size,
            times.join(" | "),
            of.life.state_bytes
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_where_it_was_measured_and_what_is_missing_is_said() {
        let of = |round_trip| Measured {
            what: "secrets on X".to_owned(),
            round_trip,
            size: 7,
            life: Life {
                times: [1_000, 2_500, 3_000, 4_250].map(Duration::from_millis),
                state_bytes: 890,
            },
        };
        let measured = [
            RoundTrip::NoNetwork,
            RoundTrip::Loopback,
            RoundTrip::Simulated,
        ];
        let text = section(&measured.map(of)).expect("formats");
        for shown in ["–", "loopback", "20 ms"] {
            let row =
                format!("| secrets on X | {shown} | 7 | 1.00 | 2.50 | 3.00 | 4.25 | 890 B |\n");
            assert!(text.contains(&row), "{text}");
        }
        let missing = text.matches("not measured in this run").count();
        assert_eq!(missing, 2, "{text}");
    }
}
