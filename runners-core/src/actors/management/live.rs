//! Live views: who may look at what, and how the stream of a job is.

use super::{Management, refused};
use crate::{
    actors::{
        control_plane::{LiveHub, LiveOpening},
        error::Error,
    },
    rules::{
        job::{JobRecord, State},
        view_grant::Claims,
    },
    seams::relay::{Socket, SocketError},
    values::{
        id::JobId,
        principal::Scope,
        reply::RefusalCode,
        view::{LiveAccess, StreamView, ViewGrant},
    },
};

impl Management {
    /// Grants a look at the attempt of a job that runs, to whoever is given the text of the grant:
    /// [`LiveHub::watch`] takes it, and so does the relay of the management API. To look takes
    /// [`Scope::Read`]; [`LiveAccess::Control`] takes [`Scope::Submit`] or [`Scope::Admin`] besides.
    ///
    /// Whether the attempt shows anything is known once somebody looks.
    ///
    /// # Errors
    /// [`Error::Refused`] (`forbidden`) without live view for the tenant, (`not_running`) if no attempt runs, or as
    /// [`Management`] says.
    pub async fn view(&self, job: JobId, access: LiveAccess) -> Result<ViewGrant, Error> {
        let tenant = self.with(Scope::Read)?;
        if access == LiveAccess::Control
            && self.with(Scope::Submit).is_err()
            && self.with(Scope::Admin).is_err()
        {
            let detail = "to control takes an API credential with the scope \"submit\" or \"admin\"";
            return Err(refused(RefusalCode::Forbidden, detail));
        }
        let plane = &self.plane;
        plane.may_relay(tenant).map_err(Error::Refused)?;
        let record = self.job_record(tenant, job).await?;
        let token = record.token();
        let LiveOpening { attempt, .. } = LiveOpening::of(&record, token).map_err(Error::Refused)?;
        let until = plane.now() + plane.live.options().grant_life;
        let key = plane.live_key().await.map_err(Error::Store)?;
        let text = Claims { tenant, token, attempt, access, until }.sign(key);
        Ok(ViewGrant { text, job, attempt, access, expires_at: until })
    }

    /// The stream of the attempt of a job that runs, if this control plane has one open.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn stream(&self, job: JobId) -> Result<Option<StreamView>, Error> {
        let tenant = self.with(Scope::Read)?;
        let record = self.job_record(tenant, job).await?;
        Ok(self.stream_of(&record))
    }

    /// Serves a connection of the principal itself: as [`view`](Self::view) and [`LiveHub::watch`] do, and whoever
    /// looks is told of what stands in the way. It goes on until either side ends it or `ended` completes; the
    /// control plane joins it when it stops.
    pub fn serve_view(
        &self,
        job: JobId,
        access: LiveAccess,
        socket: impl Future<Output = Result<Socket, SocketError>> + Send + 'static,
        ended: impl Future<Output = ()> + Send + 'static,
    ) {
        let (management, hub) = (self.clone(), self.live());
        self.plane.duties.spawn(async move {
            let Ok(mut socket) = socket.await else { return };
            let watched = match management.view(job, access).await {
                Ok(grant) => hub.watch(&grant.text).await,
                Err(error) => Err(error),
            };
            match watched {
                Ok(viewer) => viewer.carry(socket, ended).await,
                Err(error) => hub.refuse(&mut socket, &error).await,
            }
        });
    }

    /// The live views of the control plane, which are served to those who have a grant.
    #[must_use]
    pub fn live(&self) -> LiveHub {
        LiveHub::new(&self.plane)
    }

    fn stream_of(&self, job: &JobRecord) -> Option<StreamView> {
        matches!(job.state, State::Running { .. }).then(|| self.plane.live.view(job.token())).flatten()
    }
}
