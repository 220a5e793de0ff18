//! Generates random sequences. A seed always gives the same sequence.

use fastrand::Rng;

use super::config::{DefaultLabel, Ignored, Name, Source};
use super::steps::{Addition, Apply, CRASH_POINTS, Edit, Kill, Moved, Ordering, Step};

/// The number of folders that share a platform.
pub(crate) const FOLDERS: usize = 3;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Returns a sequence with `commands` runs of Terraform.
pub(crate) fn sequence(seed: u64, commands: usize) -> Vec<Step> {
    let mut generator = Generator {
        rng: Rng::with_seed(seed),
        number: 0,
        steps: Vec::new(),
    };
    generator.first_folder();
    while generator.steps.iter().filter(|it| it.runs()).count() < commands {
        generator.round();
    }
    generator.steps
}

struct Generator {
    rng: Rng,
    number: u32,
    steps: Vec<Step>,
}

impl Generator {
    fn first_folder(&mut self) {
        self.fill(0);
        self.steps.push(Step::Apply(0, Apply::default()));
    }

    /// Adds one to three secrets, and sometimes the parts around them.
    fn fill(&mut self, folder: usize) {
        for _ in 0..self.rng.u32(1..=3) {
            let addition = self.addition();
            self.steps.push(Step::Edit(folder, Edit::Add(addition)));
        }
        if self.one_in(3) {
            let edit = Edit::Default(self.default_label());
            self.steps.push(Step::Edit(folder, edit));
        }
        if self.one_in(3) {
            let edit = self.consumer();
            self.steps.push(Step::Edit(folder, edit));
        }
    }

    fn round(&mut self) {
        let folder = match self.rng.u32(0..10) {
            0..6 => 0,
            6..9 => 1,
            _ => 2,
        };
        match self.rng.u32(0..100) {
            0..34 => self.edit_and_apply(folder),
            34..46 => self.copy_and_apply(),
            46..58 => self.replace(folder),
            58..64 => self.taint(folder),
            64..70 => self.destroy(folder),
            70..76 => self.steps.push(Step::Test(folder)),
            76..80 => self.saved_plan(folder),
            80..84 => self.forget_or_import(folder),
            84..87 => self.steps.push(Step::Plan(folder)),
            87..91 => self.partial_apply(folder),
            _ => self.kill(folder),
        }
    }

    fn edit_and_apply(&mut self, folder: usize) {
        for _ in 0..self.rng.u32(1..=3) {
            let edit = self.edit();
            self.steps.push(Step::Edit(folder, edit));
        }
        self.steps.push(Step::Apply(folder, Apply::default()));
    }

    fn copy_and_apply(&mut self) {
        let from = self.rng.usize(0..FOLDERS);
        let to = (from + self.rng.usize(1..FOLDERS)) % FOLDERS;
        if self.one_in(4) {
            self.fill(to);
        } else {
            self.steps.push(Step::Copy { from, to });
        }
        self.steps.push(Step::Apply(to, Apply::default()));
        if self.one_in(3) {
            let target = None;
            let kill = None;
            self.steps.push(Step::Destroy {
                folder: to,
                target,
                kill,
            });
        }
    }

    fn replace(&mut self, folder: usize) {
        let slot = self.slot();
        if self.one_in(3) {
            let edit = if self.one_in(2) {
                Edit::CreateFirst(slot)
            } else {
                self.consumer()
            };
            self.steps.push(Step::Edit(folder, edit));
            self.steps.push(Step::Apply(folder, Apply::default()));
        }
        if self.one_in(4) {
            self.steps
                .push(Step::Edit(folder, Edit::TakeOver(slot, folder)));
        }
        let fails = self.one_in(3);
        if fails {
            self.steps.push(Step::Edit(folder, Edit::ConsumerFails));
        }
        let replace = Some(slot);
        let replacing = Apply {
            replace,
            ..Apply::default()
        };
        self.steps.push(Step::Apply(folder, replacing));
        if fails {
            self.steps.push(Step::Edit(folder, Edit::ConsumerWorks));
            self.steps.push(Step::Apply(folder, Apply::default()));
        }
    }

    fn taint(&mut self, folder: usize) {
        let slot = self.slot();
        self.steps.push(Step::Taint(folder, slot));
        let step = match self.rng.u32(0..4) {
            0 => Step::Untaint(folder, slot),
            1 => Step::Apply(folder, self.killed()),
            _ => Step::Apply(folder, Apply::default()),
        };
        self.steps.push(step);
    }

    fn destroy(&mut self, folder: usize) {
        let target = self.one_in(2).then(|| self.slot());
        self.steps.push(Step::Destroy {
            folder,
            target,
            kill: None,
        });
        if self.one_in(3) {
            self.steps.push(Step::Apply(folder, Apply::default()));
        }
    }

    fn saved_plan(&mut self, folder: usize) {
        let edit = self.edit();
        self.steps.push(Step::Edit(folder, edit));
        let replace = self.one_in(3).then(|| self.slot());
        self.steps.push(Step::SavePlan(folder, replace));
        if self.one_in(2) {
            let other = (folder + 1) % FOLDERS;
            self.steps.push(Step::Apply(other, Apply::default()));
        }
        self.steps.push(Step::ApplySaved(folder));
    }

    fn forget_or_import(&mut self, folder: usize) {
        let slot = self.slot();
        if self.one_in(2) {
            self.steps.push(Step::Remove(folder, slot));
        } else {
            let from = (folder + 1) % FOLDERS;
            self.steps.push(Step::Copy { from, to: folder });
        }
        for _ in 0..self.rng.u32(0..=2) {
            self.steps.push(Step::Import(folder, slot));
        }
        self.steps.push(Step::Apply(folder, Apply::default()));
    }

    fn partial_apply(&mut self, folder: usize) {
        let edit = self.edit();
        self.steps.push(Step::Edit(folder, edit));
        let mut apply = Apply::default();
        if self.one_in(2) {
            apply.without_refresh = true;
        } else {
            apply.target = Some(self.slot());
        }
        self.steps.push(Step::Apply(folder, apply));
    }

    /// Adds a killed run and a user's reaction to it.
    fn kill(&mut self, folder: usize) {
        match self.rng.u32(0..6) {
            0..3 => {
                let addition = self.addition();
                self.steps.push(Step::Edit(folder, Edit::Add(addition)));
                let killed = self.killed();
                self.steps.push(Step::Apply(folder, killed));
            }
            3..5 => {
                let edit = self.edit();
                self.steps.push(Step::Edit(folder, edit));
                let killed = self.killed();
                self.steps.push(Step::Apply(folder, killed));
            }
            _ => {
                let kill = Some(self.kill_point());
                let target = None;
                self.steps.push(Step::Destroy {
                    folder,
                    target,
                    kill,
                });
            }
        }
        let other = (folder + 1) % FOLDERS;
        let resuming = Apply {
            resumes: true,
            ..Apply::default()
        };
        match self.rng.u32(0..6) {
            0 => {
                let (from, to) = (folder, other);
                self.steps.push(Step::Copy { from, to });
                self.steps.push(Step::Apply(other, Apply::default()));
                if self.one_in(2) {
                    self.steps.push(Step::Apply(other, resuming));
                }
            }
            1 => self.steps.push(Step::Test(folder)),
            _ => {}
        }
        self.steps.push(Step::Apply(folder, Apply::default()));
        if self.one_in(2) {
            let resuming = Apply {
                resumes: true,
                ..Apply::default()
            };
            self.steps.push(Step::Apply(folder, resuming));
        }
    }

    fn killed(&mut self) -> Apply {
        Apply {
            kill: Some(self.kill_point()),
            ..Apply::default()
        }
    }

    fn kill_point(&mut self) -> Kill {
        // Most sequences have created their organization by then.
        let step = CRASH_POINTS[self.rng.usize(2..CRASH_POINTS.len())];
        let step = match self.rng.u32(0..3) {
            0 => step,
            1 => "answer",
            _ => "commit",
        };
        if self.one_in(2) {
            Kill::Provider(step)
        } else {
            Kill::Both(step)
        }
    }

    fn edit(&mut self) -> Edit {
        let slot = self.slot();
        let number = self.next();
        match self.rng.u32(0..44) {
            0..4 => Edit::Add(self.addition()),
            4..6 => Edit::Remove(slot),
            6..12 => Edit::Rotate(slot, number),
            12..13 => Edit::Value(slot, number),
            13..17 => Edit::Label(slot, number),
            17..20 => Edit::Description(slot, number),
            20..21 => Edit::Keep(slot, number % 5 + 2),
            21..23 => Edit::Rename(slot, self.name()),
            23..25 => Edit::Readdress(slot, number, Moved::Said),
            25..26 => Edit::Readdress(slot, number, Moved::Unsaid),
            26..28 => Edit::Protect(slot),
            28..30 => Edit::Unprotect(slot),
            30..31 => Edit::Retain(slot),
            31..32 => Edit::DoNotRetain(slot),
            32..34 => Edit::CreateFirst(slot),
            34..35 => Edit::DestroyFirst(slot),
            35..37 => Edit::Ignore(slot, self.ignored()),
            37..38 => Edit::TakeOver(slot, self.rng.usize(0..FOLDERS)),
            38..39 => Edit::TakeNothingOver(slot),
            39..41 => self.consumer(),
            41..42 => Edit::NoConsumer,
            _ => Edit::Default(self.default_label()),
        }
    }

    fn consumer(&mut self) -> Edit {
        let ordering = if self.one_in(2) {
            Ordering::CreateFirst
        } else {
            Ordering::DestroyFirst
        };
        Edit::Consume(self.slot(), self.next(), ordering)
    }

    fn default_label(&mut self) -> DefaultLabel {
        let number = self.next();
        match self.rng.u32(0..5) {
            0 => DefaultLabel::None,
            1 => DefaultLabel::Literal(number),
            _ => DefaultLabel::Computed(number),
        }
    }

    fn ignored(&mut self) -> Ignored {
        match self.rng.u32(0..6) {
            0 => Ignored::Nothing,
            1 | 2 => Ignored::Labels,
            3 => Ignored::Description,
            4 => Ignored::Trigger,
            _ => Ignored::Everything,
        }
    }

    fn addition(&mut self) -> Addition {
        let number = self.next();
        Addition {
            number,
            name: self.name(),
            source: if self.one_in(2) {
                Source::Generated
            } else {
                Source::Given(number)
            },
            trigger: (!self.one_in(4)).then_some(number),
            description: self.one_in(2).then_some(number),
            label: self.one_in(2).then_some(number),
            is_protected: self.one_in(5),
            is_retained: self.one_in(8),
            creates_first: self.one_in(4),
            ignored: if self.one_in(5) {
                self.ignored()
            } else {
                Ignored::Nothing
            },
        }
    }

    fn name(&mut self) -> Name {
        Name {
            environment: self.one_in(4).then(|| "dev".to_owned()),
            name: NAMES[self.rng.usize(0..NAMES.len())].to_owned(),
        }
    }

    fn slot(&mut self) -> u8 {
        self.rng.u8(0..3)
    }

    fn next(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.rng.u32(0..count) == 0
    }
}
