//! Routes each call to its handler.

use tonic::{Request, Response, Status};

use super::{
    ProviderService, data_sources, ephemeral, functions, provider, resources, schemas, stored,
};
use crate::protocol::wire::provider_server::Provider;
use crate::protocol::wire::*;

type Answered<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Provider for ProviderService {
    async fn get_metadata(
        &self,
        request: Request<GetMetadataRequest>,
    ) -> Answered<GetMetadataResponse> {
        self.call("GetMetadata", request, schemas::metadata).await
    }

    async fn get_provider_schema(
        &self,
        request: Request<GetProviderSchemaRequest>,
    ) -> Answered<GetProviderSchemaResponse> {
        self.call("GetProviderSchema", request, schemas::provider_schema)
            .await
    }

    async fn get_resource_identity_schemas(
        &self,
        request: Request<GetResourceIdentitySchemasRequest>,
    ) -> Answered<GetResourceIdentitySchemasResponse> {
        self.call(
            "GetResourceIdentitySchemas",
            request,
            schemas::identity_schemas,
        )
        .await
    }

    async fn get_functions(
        &self,
        request: Request<GetFunctionsRequest>,
    ) -> Answered<GetFunctionsResponse> {
        self.call("GetFunctions", request, schemas::functions).await
    }

    async fn validate_provider_config(
        &self,
        request: Request<ValidateProviderConfigRequest>,
    ) -> Answered<ValidateProviderConfigResponse> {
        self.call("ValidateProviderConfig", request, provider::validate)
            .await
    }

    async fn configure_provider(
        &self,
        request: Request<ConfigureProviderRequest>,
    ) -> Answered<ConfigureProviderResponse> {
        self.call("ConfigureProvider", request, provider::configure)
            .await
    }

    async fn stop_provider(
        &self,
        request: Request<StopProviderRequest>,
    ) -> Answered<StopProviderResponse> {
        self.call("StopProvider", request, provider::stop).await
    }

    async fn validate_resource_config(
        &self,
        request: Request<ValidateResourceConfigRequest>,
    ) -> Answered<ValidateResourceConfigResponse> {
        self.call("ValidateResourceConfig", request, resources::validate)
            .await
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<UpgradeResourceStateRequest>,
    ) -> Answered<UpgradeResourceStateResponse> {
        self.call("UpgradeResourceState", request, stored::upgrade_state)
            .await
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<UpgradeResourceIdentityRequest>,
    ) -> Answered<UpgradeResourceIdentityResponse> {
        self.call("UpgradeResourceIdentity", request, stored::upgrade_identity)
            .await
    }

    async fn read_resource(
        &self,
        request: Request<ReadResourceRequest>,
    ) -> Answered<ReadResourceResponse> {
        self.call("ReadResource", request, resources::read).await
    }

    async fn plan_resource_change(
        &self,
        request: Request<PlanResourceChangeRequest>,
    ) -> Answered<PlanResourceChangeResponse> {
        self.call("PlanResourceChange", request, resources::plan)
            .await
    }

    async fn apply_resource_change(
        &self,
        request: Request<ApplyResourceChangeRequest>,
    ) -> Answered<ApplyResourceChangeResponse> {
        self.call("ApplyResourceChange", request, resources::apply)
            .await
    }

    async fn import_resource_state(
        &self,
        request: Request<ImportResourceStateRequest>,
    ) -> Answered<ImportResourceStateResponse> {
        self.call("ImportResourceState", request, stored::import)
            .await
    }

    async fn move_resource_state(
        &self,
        request: Request<MoveResourceStateRequest>,
    ) -> Answered<MoveResourceStateResponse> {
        self.call("MoveResourceState", request, stored::move_state)
            .await
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<ValidateDataResourceConfigRequest>,
    ) -> Answered<ValidateDataResourceConfigResponse> {
        self.call(
            "ValidateDataResourceConfig",
            request,
            data_sources::validate,
        )
        .await
    }

    async fn read_data_source(
        &self,
        request: Request<ReadDataSourceRequest>,
    ) -> Answered<ReadDataSourceResponse> {
        self.call("ReadDataSource", request, data_sources::read)
            .await
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<ValidateEphemeralResourceConfigRequest>,
    ) -> Answered<ValidateEphemeralResourceConfigResponse> {
        self.call(
            "ValidateEphemeralResourceConfig",
            request,
            ephemeral::validate,
        )
        .await
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<OpenEphemeralResourceRequest>,
    ) -> Answered<OpenEphemeralResourceResponse> {
        self.call("OpenEphemeralResource", request, ephemeral::open)
            .await
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<RenewEphemeralResourceRequest>,
    ) -> Answered<RenewEphemeralResourceResponse> {
        self.call("RenewEphemeralResource", request, ephemeral::renew)
            .await
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<CloseEphemeralResourceRequest>,
    ) -> Answered<CloseEphemeralResourceResponse> {
        self.call("CloseEphemeralResource", request, ephemeral::close)
            .await
    }

    async fn call_function(
        &self,
        request: Request<CallFunctionRequest>,
    ) -> Answered<CallFunctionResponse> {
        self.call("CallFunction", request, functions::call).await
    }

    // Hosts call these only for list resources in GetProviderSchema, which has none.

    async fn validate_list_resource_config(
        &self,
        _: Request<ValidateListResourceConfigRequest>,
    ) -> Answered<ValidateListResourceConfigResponse> {
        Err(Status::unimplemented("no list resources"))
    }

    type ListResourceStream = tokio_stream::Empty<Result<ListResourceEvent, Status>>;

    async fn list_resource(
        &self,
        _: Request<ListResourceRequest>,
    ) -> Answered<Self::ListResourceStream> {
        Err(Status::unimplemented("no list resources"))
    }
}
