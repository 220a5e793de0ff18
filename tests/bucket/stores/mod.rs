//! The services. A service's fixture is one file.

mod azure;
mod gcs;
mod s3;

use xtask::bucket::BucketService;
use xtask::faults::{Fault, Match};

/// What tests must know of a service.
pub(crate) trait Service: Send + Sync {
    /// Matches writes on the condition that nothing is there.
    fn creations(&self) -> Match {
        Match::method("PUT").and(Match::header("if-none-match", "*"))
    }

    /// Matches writes on the condition that an object is as it was read.
    fn updates(&self) -> Match {
        Match::method("PUT").and(Match::header("if-match", ""))
    }

    /// Returns faults that the service itself may produce for a conditional write, besides
    /// those of every server. They do not carry out the request.
    fn own_faults(&self) -> Vec<Fault>;

    /// Returns the answers with which the service refuses a conditional write. Whoever repeats a
    /// request, such as a load balancer, gets one for a write that was executed.
    fn refusals(&self) -> [Refusal; 2];

    /// Returns a script with the vendor's own client that prints key, content and metadata of
    /// each object of a bucket. Its arguments are the endpoint and the bucket.
    fn reader(&self) -> &'static str;
}

/// A status and its error code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    code: &'static str,
}

impl Refusal {
    /// Returns the fault that executes a request and has this answer.
    pub(crate) fn of_executed(self) -> Fault {
        self.told(Fault::answer_in_place(self.status))
    }

    /// Returns the fault that executes nothing and has this answer.
    fn of_nothing(self) -> Fault {
        self.told(Fault::status(self.status))
    }

    /// Adds the code, as all services do: Azure in a header too.
    fn told(self, fault: Fault) -> Fault {
        let code = self.code;
        fault
            .with_header("x-ms-error-code", code)
            .with_header("content-type", "application/xml")
            .with_body(&format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>\
                 The write was not executed.</Message></Error>"
            ))
    }
}

pub(crate) fn of(service: BucketService) -> &'static dyn Service {
    match service {
        BucketService::S3 => &s3::S3,
        BucketService::Gcs => &gcs::Gcs,
        BucketService::Azure => &azure::Azure,
    }
}

/// Turns asynchronous functions of a service into tests on each service.
macro_rules! on_each_service {
    ($($test:ident),+ $(,)?) => {
        on_each_service!(@ s3 S3 $($test)+);
        on_each_service!(@ gcs Gcs $($test)+);
        on_each_service!(@ azure Azure $($test)+);
    };
    (@ $module:ident $service:ident $($test:ident)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(xtask::bucket::BucketService::$service).await;
                }
            )+
        }
    };
}
pub(crate) use on_each_service;
