"""The forms about people who sign in."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.models import Group, Permission
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelect2MultipleWidget

from accounts.models import User
from compliance.admin.forms import GovernedForm

if TYPE_CHECKING:
    SetPasswordMixin = auth_forms.SetPasswordMixin[User]
else:
    SetPasswordMixin = auth_forms.SetPasswordMixin

NEW_PASSWORD = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


class PasswordForm(SetPasswordMixin, forms.Form):
    """Asks for a new password, twice."""

    password1, password2 = SetPasswordMixin.create_password_fields()

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        for name in ("password1", "password2"):
            self.fields[name].widget = NEW_PASSWORD

    def clean(self) -> dict[str, Any]:
        self.validate_passwords("password1", "password2")
        self.validate_password_for_user(self.user)
        return super().clean() or self.cleaned_data


class AddUserForm(SetPasswordMixin, GovernedForm):
    """Adds a person with a first password."""

    password1, password2 = SetPasswordMixin.create_password_fields()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("password1", "password2"):
            self.fields[name].widget = NEW_PASSWORD

    def clean(self) -> dict[str, Any] | None:
        self.validate_passwords("password1", "password2")
        return super().clean()

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        self.validate_password_for_user(self.instance, "password2")

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_staff")


class ChangeUserForm(GovernedForm):
    """Changes a person's names and rights."""

    groups = forms.ModelMultipleChoiceField(
        queryset=Group.objects.order_by("name"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        help_text="What somebody who is no superuser may see and do comes from these.",
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser", "groups")


class GroupForm(GovernedForm):
    """Names a group and what its members may do."""

    permissions = forms.ModelMultipleChoiceField(
        queryset=Permission.objects.select_related("content_type")
        .filter(content_type__app_label__in=("accounts", "billing", "gateway", "compliance", "auth"))
        .order_by("content_type__app_label", "codename"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        help_text="Of the tables in this admin. “View” lets people look, also at every tenant's rows.",
    )
